//! Configuration, passwords, ACL users, sockets and addresses: right, wrong, and broken while it
//! serves.

use std::sync::{Mutex, PoisonError};

use lab::host::Host;
use lab::redis_server::{self, PASSWORD};
use lab::wait;

use crate::pair::{CONFIG, Pair, SOON, Version, ask, info, journal, until_on_disk};
use crate::runs::{run, start};

#[test]
fn a_broken_edit_while_serving_is_an_alarm_and_no_outage() {
    let pair = Pair::new(Version::Own);
    for host in [pair.a(), pair.b()] {
        assert_eq!(run(host, "check_redis", &[]).code, Some(0));
        host.write(CONFIG, "nodes = [\"192.168.158.11\n", 0o644)
            .expect("written");
        for _ in 0..2 {
            let ran = run(host, "check_redis", &["-v"]);
            assert_eq!(ran.code, Some(0), "{}", ran.said);
            assert!(ran.said.contains("ALARM"), "{}", ran.said);
        }
    }
    pair.vip(pair.b());
    let ran = run(pair.b(), "redis_master", &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    assert!(journal(pair.b()).contains("ALARM"), "{}", pair.story());
    pair.until_serves(pair.b());
}

#[test]
fn without_a_configuration_it_can_not_tell_and_says_so_where_somebody_reads_it() {
    let pair = Pair::new(Version::Own);
    pair.b().sh(&format!("rm {CONFIG}")).expect("gone");
    for program in [
        "check_redis",
        "redis_master",
        "redis_backup",
        "redis_fault",
        "redis_stop",
    ] {
        let ran = run(pair.b(), program, &[]);
        assert_eq!(ran.code, Some(3), "{program}: {}", ran.said);
        assert_eq!(ran.said.lines().count(), 1, "{program}: {}", ran.said);
    }
    assert_eq!(run(pair.b(), "check_redis", &["--nonsense"]).code, Some(2));
    // keepalived gives them /dev/null for a stderr.
    let logs = pair
        .b()
        .sh("cat /var/log/keepalived-redis/*")
        .expect("a shell");
    assert!(
        String::from_utf8_lossy(&logs.stdout).contains(CONFIG),
        "no journal says why"
    );
}

#[test]
fn a_password_file_that_others_can_read_is_refused_but_takes_no_serving_pair_down() {
    let pair = Pair::new(Version::Own);
    pair.b()
        .write("/etc/keepalived/redis.pass", PASSWORD, 0o644)
        .expect("written");
    let ran = run(pair.b(), "check_redis", &[]);
    assert_eq!(ran.code, Some(3), "never read before: {}", ran.said);
    assert!(
        ran.said.contains("chmod 600") && !ran.said.contains(PASSWORD),
        "{}",
        ran.said
    );
    run(pair.a(), "check_redis", &[]);
    pair.a()
        .write("/etc/keepalived/redis.pass", PASSWORD, 0o644)
        .expect("written");
    let ran = run(pair.a(), "check_redis", &["-v"]);
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    assert!(ran.said.contains("ALARM"), "{}", ran.said);
}

#[test]
fn a_wrong_password_is_alive_and_an_alarm_and_is_never_shown() {
    let pair = Pair::new(Version::Own);
    for host in [pair.a(), pair.b()] {
        host.write("/etc/keepalived/redis.pass", "not-the-password", 0o600)
            .expect("written");
        let ran = run(host, "check_redis", &["-v"]);
        assert_eq!(ran.code, Some(0), "{}: {}", host.name, ran.said);
        assert!(ran.said.contains("WRONGPASS"), "{}", ran.said);
        let logs = host
            .sh("cat /var/log/keepalived-redis/*; cat /var/lib/keepalived-redis/*/*")
            .expect("a shell");
        let logs = String::from_utf8_lossy(&logs.stdout).into_owned();
        assert!(
            logs.contains("WRONGPASS") && logs.contains("ALARM"),
            "no alarm: {logs}"
        );
        assert!(
            !logs.contains("not-the-password") && !logs.contains(PASSWORD),
            "{logs}"
        );
    }
}

#[test]
fn a_user_without_the_right_to_info_is_an_alarm() {
    let pair = Pair::new(Version::Own);
    ask(pair.a(), &["ACL", "SETUSER", "default", "-info"]);
    let ran = run(pair.a(), "check_redis", &["-v"]);
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    assert!(
        ran.said.contains("NOPERM"),
        "the check is blind and says only: {}",
        ran.said
    );
}

#[test]
fn a_peer_whose_password_differs_is_not_taken_for_dead() {
    let pair = Pair::new(Version::Own);
    run(pair.b(), "check_redis", &["--eligible"]);
    ask(pair.a(), &["CONFIG", "SET", "requirepass", "another"]);
    pair.vip(pair.b());
    let _master = start(pair.b(), "redis_master");
    let said = || journal(pair.b()).contains("WRONGPASS");
    wait::until("it says why", SOON, said)
        .unwrap_or_else(|error| panic!("{error}\n{}", journal(pair.b())));
    // Whether it serves or not: it must not say that the peer is gone.
    assert!(
        !journal(pair.b()).contains("is gone: it says"),
        "{}",
        journal(pair.b())
    );
}

#[test]
fn a_missing_masterauth_is_named_as_the_likely_cause() {
    let pair = Pair::new(Version::Own);
    ask(pair.a(), &["CONFIG", "SET", "masterauth", ""]);
    pair.vip(pair.b());
    assert_eq!(run(pair.b(), "redis_master", &[]).code, Some(0));
    assert_eq!(pair.write_through_vip("after"), "OK");
    let _backup = start(pair.a(), "redis_backup");
    let said = || journal(pair.a()).contains("masterauth");
    wait::until("it says so", 3 * SOON, said)
        .unwrap_or_else(|error| panic!("{error}\n{}", pair.story()));
    let lines = journal(pair.a()).lines().count();
    assert!(lines < 15, "{lines} lines while it waits\n{}", pair.story());
}

/// The least rights that a whole life needs, as the README has them: checks, handovers, promotion,
/// following with and without a rollback file, replication itself. Beside each: what is said where
/// it is missing. Of the last one nothing is but in Redis's own log: its master disconnects the
/// replica once a second, which comes back each time.
const LEAST: &[(&str, &str)] = &[
    (
        "+ping",
        "ALARM: username or password is wrong for 192.168.158.12:6379: alive, but it says NOPERM",
    ),
    (
        "+info",
        "waiting: the local Redis at 192.168.158.12:6379: it says NOPERM",
    ),
    (
        "+slaveof",
        "waiting: SLAVEOF 192.168.158.12:6379 on 192.168.158.11:6379: it says NOPERM",
    ),
    (
        "+client|pause",
        "waiting: stopping the writes on 192.168.158.11:6379: it says NOPERM",
    ),
    (
        "+client|unpause",
        "warning: letting the writers of 192.168.158.11:6379 go on: it says NOPERM",
    ),
    (
        "+client|kill",
        "warning: disconnecting the clients of 192.168.158.11:6379: it says NOPERM",
    ),
    (
        "+config|rewrite",
        "warning: CONFIG REWRITE on 192.168.158.12:6379: it says NOPERM",
    ),
    (
        "+psync",
        "its master refuses PSYNC, so see that the user named by masteruser has +psync there",
    ),
    (
        "+sync",
        "keeping a rollback file in /var/lib/keepalived-redis/rollback: SYNC: it says NOPERM",
    ),
    (
        "+function|load",
        "warning: writing term 1 into 192.168.158.12:6379: it says NOPERM",
    ),
    (
        "+fcall_ro",
        "warning: writing term 1 into 192.168.158.12:6379: it says NOPERM",
    ),
    ("+replconf", ""),
];

/// Without these it only takes longer: a copy, a rollback file included, then begins after
/// repl-diskless-sync-delay. (Before 6.2 the writes are stopped with them.)
const QUICKER: &[&str] = &["+config|get", "+config|set"];

/// A pair whose programs and whose replication log in as "ha", who has these rights alone.
fn with_rights(rights: &[&str]) -> Pair {
    let pair = Pair::with(
        Version::Own,
        "username = \"ha\"\n[rollback]\nmode = \"always\"",
    );
    for host in [pair.a(), pair.b()] {
        with_user(host, rights);
    }
    pair
}

/// Gone with the next start of Redis: a user of CONFIG REWRITE would stand in redis.conf for good.
fn with_user(host: &Host, rights: &[&str]) {
    let password = format!(">{PASSWORD}");
    let mut command = vec!["ACL", "SETUSER", "ha", "reset", "on", &password];
    command.extend(rights);
    assert_eq!(ask(host, &command).text(), "OK");
    assert_eq!(
        ask(host, &["CONFIG", "SET", "masteruser", "ha"]).text(),
        "OK"
    );
}

/// Everything that the programs have said on both hosts.
fn told(pair: &Pair) -> String {
    let logs = |host: &Host| {
        host.sh("cat /var/log/keepalived-redis/*.log")
            .map(|out| out.stdout)
            .unwrap_or_default()
    };
    [pair.a(), pair.b()]
        .map(|host| String::from_utf8_lossy(&logs(host)).into_owned())
        .concat()
}

/// Runs a program to its end, or until something is denied or waits for ever.
fn step(pair: &Pair, host: &Host, program: &str) -> Result<(), String> {
    let mut running = start(host, program);
    let complains = || {
        ["NOPERM", "masterauth"]
            .iter()
            .any(|word| told(pair).contains(word))
    };
    let ended = wait::until(program, SOON + SOON, || {
        !running.is_at_work() || complains()
    });
    match ended {
        Ok(()) if complains() => Err(told(pair)),
        Ok(()) if running.until_ended(SOON) == Some(0) => Ok(()),
        Ok(()) => Err(format!("{program} failed: {}", told(pair))),
        Err(error) => Err(format!("{error}: {}", told(pair))),
    }
}

/// What goes wrong in a whole life with these rights.
fn life(rights: &[&str]) -> Result<(), String> {
    let pair = with_rights(rights);
    for (to, from) in [(pair.b(), pair.a()), (pair.a(), pair.b())] {
        pair.vip(to);
        step(&pair, to, "redis_master")?;
        step(&pair, from, "redis_backup")?;
        for host in [to, from] {
            for form in ["-v", "--eligible"] {
                let ran = run(host, "check_redis", &[form]);
                if ran.code != Some(0)
                    || ran.said.contains("NOPERM")
                    || ran.said.contains("unknown")
                {
                    return Err(ran.said);
                }
            }
        }
    }
    let term = ask(pair.a(), &["FCALL_RO", "keepalived_redis_term", "0"]).text();
    if !term.starts_with("2 ") {
        return Err(format!(
            "the second handover has not seen the first one's term: {term}"
        ));
    }
    // The master dies: its replica is promoted. It comes back as a lone master beside it: kept in a
    // file, then it follows.
    assert_eq!(pair.write_through_vip("before"), "OK");
    until_on_disk(pair.a());
    redis_server::kill(pair.a()).expect("killed");
    pair.vip(pair.b());
    step(&pair, pair.b(), "redis_master")?;
    assert_eq!(pair.write_through_vip("between"), "OK");
    pair.start_redis(pair.a());
    with_user(pair.a(), rights);
    step(&pair, pair.a(), "redis_backup")?;
    assert_eq!(pair.write_through_vip("after"), "OK");
    pair.vip(pair.a());
    step(&pair, pair.a(), "redis_master")?;
    let told = told(&pair);
    let whole = ask(pair.a(), &["EXISTS", "before", "between", "after"]).text() == "3";
    if whole && told.contains("promoted") && told.contains("kept the local data") {
        Ok(())
    } else {
        Err(told)
    }
}

/// All of them but `missing`.
fn rights_but(missing: &str) -> Vec<&'static str> {
    LEAST
        .iter()
        .map(|(right, _)| *right)
        .filter(|right| *right != missing)
        .collect()
}

#[test]
fn the_rights_of_the_readme_are_enough_for_a_whole_life() {
    let rights = [&rights_but("")[..], QUICKER].concat();
    let readme = std::fs::read_to_string(lab::lab::tree().expect("a tree").join("README.md"))
        .expect("it is there");
    let line = readme
        .lines()
        .find(|line| line.starts_with("user ha on >a-long-password "))
        .unwrap_or_default();
    let mut said: Vec<&str> = line
        .split(' ')
        .filter(|word| word.starts_with('+'))
        .collect();
    let mut tried = rights.clone();
    said.sort_unstable();
    tried.sort_unstable();
    assert_eq!(said, tried);
    life(&rights).unwrap_or_else(|said| panic!("{said}"));
}

#[test]
fn each_right_that_is_missing_is_named() {
    let left = Mutex::new(LEAST.iter());
    let next = || left.lock().unwrap_or_else(PoisonError::into_inner).next();
    let look = || {
        let mut wrong = String::new();
        while let Some((missing, said)) = next() {
            match life(&rights_but(missing)) {
                Ok(()) if said.is_empty() => {}
                Ok(()) => wrong += &format!("--- without {missing} nothing is said\n"),
                Err(told) if told.contains(said) => {}
                Err(told) => {
                    wrong += &format!("--- without {missing} not {said:?}, but:\n{told}\n")
                }
            }
        }
        wrong
    };
    // Most of it is waiting.
    let wrong = std::thread::scope(|scope| {
        let threads = [(); 3].map(|()| scope.spawn(look));
        threads
            .map(|thread| thread.join().expect("a thread ends"))
            .concat()
    });
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn a_local_redis_behind_a_unix_socket_is_checked_and_moved() {
    let pair = Pair::new(Version::Own);
    let socket = "local = \"unix:/run/redis.sock\"\n";
    for host in [pair.a(), pair.b()] {
        lab::redis_server::stop(host).expect("stopped");
        let conf = host.file("/etc/redis/redis.conf");
        let text = std::fs::read_to_string(&conf).expect("redis.conf");
        std::fs::write(&conf, format!("{text}\nunixsocket /run/redis.sock\n")).expect("written");
        host.write(CONFIG, &format!("{socket}{}", pair.config("")), 0o644)
            .expect("written");
        pair.start_redis(host);
    }
    pair.until_linked(pair.b());
    let ran = run(pair.a(), "check_redis", &["-v"]);
    assert!(
        ran.code == Some(0) && ran.said.contains("unix:/run/redis.sock"),
        "{}",
        ran.said
    );
    pair.vip(pair.b());
    let ran = run(pair.b(), "redis_master", &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    pair.until_serves(pair.b());
    assert_eq!(run(pair.a(), "redis_backup", &[]).code, Some(0));
    // What a lone master has is copied through the socket as well.
    ask(pair.a(), &["SLAVEOF", "NO", "ONE"]);
    ask(pair.a(), &["SET", "only-here", "1"]);
    let ran = run(pair.a(), "redis_backup", &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    let found = pair
        .a()
        .sh("grep -l only-here /var/lib/keepalived-redis/rollback/*.rdb")
        .expect("a shell");
    assert!(
        found.status.success() && ran.said.contains("kept the local data"),
        "{}",
        ran.said
    );
}

#[test]
fn nodes_and_vip_of_ipv6_work_like_those_of_ipv4() {
    let pair = Pair::new(Version::Own);
    let config = "nodes = [\"[fd00::11]:6379\", \"[fd00::12]:6379\"]\nvip = \"fd00::13\"\n[auth]\n\
                  password_file = \"/etc/keepalived/redis.pass\"\n";
    let add = |host: &lab::host::Host, address: &str| {
        let out = host
            .sh(&format!("ip addr add {address}/64 dev eth0 nodad"))
            .expect("a shell");
        assert!(
            out.status.success(),
            "{}",
            String::from_utf8_lossy(&out.stderr)
        );
    };
    for (host, address) in [(pair.a(), "fd00::11"), (pair.b(), "fd00::12")] {
        add(host, address);
        host.write(CONFIG, config, 0o644).expect("written");
    }
    let ran = run(pair.b(), "redis_backup", &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    assert_eq!(info(pair.b(), "master_host").as_deref(), Some("fd00::11"));
    add(pair.b(), "fd00::13");
    let ran = run(pair.b(), "redis_master", &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    assert!(
        ran.said.contains("took the role over from [fd00::11]:6379"),
        "{}",
        ran.said
    );
    assert_eq!(info(pair.a(), "master_host").as_deref(), Some("fd00::12"));
    let ran = run(pair.a(), "redis_backup", &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.said);
}

#[test]
fn a_vip_that_this_machine_does_not_have_is_said_by_redis_master() {
    let pair = Pair::new(Version::Own);
    for host in [pair.a(), pair.b()] {
        let wrong = pair.config("").replace("192.168.158.13", "192.168.158.99");
        host.write(CONFIG, &wrong, 0o644).expect("written");
    }
    pair.vip(pair.b());
    let ran = run(pair.b(), "redis_master", &[]);
    assert!(
        ran.said.contains("192.168.158.99"),
        "the VIP in the configuration is wrong, and nobody says so: {}",
        ran.said
    );
}

#[test]
fn nodes_with_different_ports_find_out_who_holds_the_vip() {
    let pair = Pair::new(Version::Own);
    // b's Redis listens on 6380 as well; in the configuration that is its address.
    let text = pair.config("").replace("158.12:6379", "158.12:6380");
    lab::redis_server::kill(pair.b()).expect("killed");
    pair.b()
        .sh("sed -i 's/^port 6379/port 6380/' /etc/redis/redis.conf")
        .expect("sed");
    pair.b()
        .spawn("redis-server", &["/etc/redis/redis.conf"])
        .expect("started");
    for host in [pair.a(), pair.b()] {
        host.write(CONFIG, &text, 0o644).expect("written");
    }
    let listens = || {
        pair.b()
            .sh("ss -ltn | grep -q :6380")
            .is_ok_and(|out| out.status.success())
    };
    wait::until("it listens", SOON, listens).expect("it listens");
    let set = |command: &str| {
        let mut client = pair.b().command("redis-cli").expect("a command");
        client
            .env("REDISCLI_AUTH", PASSWORD)
            .args(["-p", "6380"])
            .args(command.split(' '));
        let answer = client.output().expect("redis-cli");
        assert_eq!(
            String::from_utf8_lossy(&answer.stdout).trim(),
            "OK",
            "{command}"
        );
    };
    set("SLAVEOF NO ONE");
    set("SET only-on-b 1");
    pair.vip(pair.b());
    let ran = run(pair.a(), "check_redis", &[]);
    assert_eq!(
        ran.code,
        Some(1),
        "a lone master beside the one that serves: {}",
        ran.said
    );
}
