"""A client that counts: writes numbered keys through the virtual IP, and reads them back.

writer.py write ADDRESS FILE    until SIGTERM: a line "TIME NUMBER" for each acknowledged write
writer.py read ADDRESS FILE     says, one to a line, which acknowledged ones are not there

The password is in REDISCLI_AUTH.
"""

import os
import signal
import socket
import sys
import time

PATIENCE = 0.05
PAUSE = 0.005
PORT = 6379


def command(*words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def ask(file, *words):
    file.write(command(*words))
    file.flush()
    line = file.readline()
    if not line.endswith(b"\r\n"):
        raise OSError("the connection ended")
    return line.rstrip()


def connect(address, patience):
    connection = socket.create_connection((address, PORT), patience)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    file = connection.makefile("rwb")
    if ask(file, b"AUTH", os.environb[b"REDISCLI_AUTH"]) != b"+OK":
        raise OSError("AUTH was refused")
    return connection, file


def key(number):
    return b"w:%07d" % number


def write(address, path):
    running = [True]
    signal.signal(signal.SIGTERM, lambda *_: running.clear())
    number, connection = 0, None
    with open(path, "a", buffering=1) as acknowledged:
        while running:
            number += 1
            try:
                if connection is None:
                    connection, file = connect(address, PATIENCE)
                if ask(file, b"SET", key(number), b"%d" % number) != b"+OK":
                    raise OSError("refused")
                acknowledged.write("%.3f %d\n" % (time.time(), number))
            except OSError:
                if connection is not None:
                    connection.close()
                connection = None
            time.sleep(PAUSE)


def read(address, path):
    with open(path) as acknowledged:
        numbers = [int(line.split()[1]) for line in acknowledged]
    _, file = connect(address, 5)
    for number in numbers:
        if ask(file, b"GET", key(number)) == b"$-1":
            print(key(number).decode())
        else:
            file.readline()


{"write": write, "read": read}[sys.argv[1]](*sys.argv[2:])
