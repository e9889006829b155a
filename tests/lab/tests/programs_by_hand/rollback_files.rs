//! `keepalived-redis rollback`: what a file holds and the service lacks is named, and nothing of
//! the service is touched.

use std::collections::BTreeSet;

use lab::host::Host;
use lab::redis_server::PASSWORD;
use lab::wait;
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::pair::{CONFIG, Pair, ROLLBACK, SOON, Version, ask};
use crate::runs::{Ran, run, start_with};

fn rollback(host: &Host, words: &[&str]) -> Ran {
    let words: Vec<&str> = ["rollback"].iter().chain(words).copied().collect();
    run(host, "keepalived-redis", &words)
}

/// A shell command with redis-cli: whether it went well, and what it said.
fn cli(host: &Host, script: &str) -> (bool, String) {
    let mut shell = host.command("sh").expect("the host is on");
    let out = shell
        .env("REDISCLI_AUTH", PASSWORD)
        .args(["-c", &format!("exec 2>&1; {script}")])
        .output()
        .expect("a shell");
    (
        out.status.success(),
        String::from_utf8_lossy(&out.stdout).into_owned(),
    )
}

/// Commands to the Redis of `host`, a line each, as redis-cli reads them.
fn tell(host: &Host, lines: &str) {
    host.write("/tmp/commands", lines, 0o600).expect("written");
    let (done, said) = cli(host, "redis-cli < /tmp/commands");
    let wrong = ["ERR", "WRONG", "BUSY", "NO"]
        .iter()
        .find(|word| said.lines().any(|line| line.starts_with(**word)));
    assert!(done && wrong.is_none(), "{said}");
}

/// What both have, small and large, in two databases; the last ones in forms that are no whole
/// number of pieces.
const SHARED: &str = r##"
    FUNCTION LOAD "#!lua name=ours\nredis.register_function('f', function() return 1 end)"
    MSET string 1 text same ttl same type same number 12345
    RPUSH list a b c
    RPUSH same-list a b c
    HSET hash f 1 g 2
    HSET same-hash f 1 g 2
    SADD set a b c
    SADD same-set a b c
    ZADD zset 1 a 2 b
    ZADD same-zset 1 a 0.1 b
    XADD stream 1-1 f v
    XADD same-stream 1-1 f v
    XADD groups 1-1 f v
    XGROUP CREATE groups g 0
    SELECT 3
    SET third same
    SELECT 0
    SELECT 3
    SET other 1
    SELECT 0
    EVAL "for i=1,1500 do redis.call('HSET',KEYS[1],'f'..i,string.rep('v',i%300)) redis.call('RPUSH',KEYS[2],string.rep('e',i%200)) redis.call('SADD',KEYS[3],'member:'..i) redis.call('ZADD',KEYS[4],i/3,'member:'..i) redis.call('XADD',KEYS[5],'5-'..i,'f',string.rep('v',i%100)) end redis.call('SET',KEYS[6],string.rep('x',1200001)) for _,k in ipairs(KEYS) do redis.call('COPY',k,'same-'..k) end" 6 big-hash big-list big-set big-zset big-stream big-string
"##;
/// Each a change that leaves the length as it is, but the first three.
const ONLY_ON_A: &str = r#"
    SET only-on-a 1
    SET "\xff bin" 1
    SELECT 9
    RPUSH ninth 1
    SELECT 0
    SET string 2
    DEL type
    RPUSH type same
    LSET list 1 x
    HSET hash g 3
    SREM set c
    SADD set x
    ZADD zset 3 b
    XADD stream 2-1 f v
    XTRIM stream MAXLEN 1
    XREADGROUP GROUP g consumer COUNT 1 STREAMS groups >
    EXPIRE ttl 100000
    SELECT 3
    SET other 2
    SELECT 0
    HSET big-hash f1234 x
    LSET big-list 1234 x
    SREM big-set member:1234
    SADD big-set member:x
    ZADD big-zset 0 member:1234
    XDEL big-stream 5-1234
    XADD big-stream 6-1 f v
    SETRANGE big-string 1199999 y
"#;
/// The same values in other encodings, and what nobody is to hear of.
const ONLY_ON_B: &str = r#"
    SET only-on-b 1
    EVAL "for i=1,600 do redis.call('HSET','same-hash','x'..i,1) redis.call('SADD','same-set','x'..i) redis.call('ZADD','same-zset',1,'x'..i) end for i=1,600 do redis.call('HDEL','same-hash','x'..i) redis.call('SREM','same-set','x'..i) redis.call('ZREM','same-zset','x'..i) end" 0
"#;

/// a has kept a file of its own data and follows b.
fn kept() -> Pair {
    let pair = Pair::new(Version::Own);
    tell(pair.a(), SHARED);
    let offset = |host| crate::pair::info(host, "master_repl_offset");
    wait::until("b has it all", SOON, || {
        offset(pair.a()) == offset(pair.b())
    })
    .expect("b has it");
    ask(pair.b(), &["SLAVEOF", "NO", "ONE"]);
    pair.vip(pair.b());
    tell(pair.a(), ONLY_ON_A);
    tell(pair.b(), ONLY_ON_B);
    // The greater part stands.
    for number in 0..200 {
        ask(
            pair.b(),
            &[
                "SET",
                &format!("only-on-b:{number}"),
                "a longer value than those of the other one",
            ],
        );
    }
    let ran = run(pair.a(), "redis_backup", &[]);
    assert_eq!(ran.code, Some(0), "{}", pair.story());
    pair.until_serves(pair.b());
    pair
}

fn lines(ran: &Ran) -> Vec<Value> {
    ran.said
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {}", ran.said)))
        .collect()
}

fn named(ran: &Ran, what: &str) -> BTreeSet<String> {
    let name = |line: &Value| {
        let key = line["key"]
            .as_str()
            .or(line["key_hex"].as_str())
            .expect("a key")
            .to_owned();
        format!(
            "{} {} {key}",
            line["db"],
            line["type"].as_str().expect("a type")
        )
    };
    lines(ran)
        .iter()
        .filter(|line| line["what"] == what)
        .map(name)
        .collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(ToString::to_string).collect()
}

fn assert_nothing_is_left(host: &Host) {
    let left = host
        .sh("ls -d /tmp/keepalived-redis-* 2>/dev/null; pgrep -af '[r]edis-server.*unixsocket'")
        .expect("a shell");
    assert_eq!(String::from_utf8_lossy(&left.stdout), "");
}

#[test]
fn inspect_names_what_the_service_lacks_of_every_type_and_touches_nothing() {
    let pair = kept();
    let (a, b) = (pair.a(), pair.b());
    let data = || ask(b, &["DEBUG", "DIGEST"]).text();
    let before = data();
    let ran = rollback(a, &["inspect", "latest", "--json"]);
    assert_eq!(ran.code, Some(1), "{}", ran.said);
    assert_eq!(
        named(&ran, "only_in_file"),
        set(&["0 string only-on-a", "0 string ff2062696e", "9 list ninth"]),
        "{}",
        ran.said
    );
    let differ = [
        "0 string string",
        "0 list type",
        "0 list list",
        "0 hash hash",
        "0 set set",
        "0 zset zset",
        "0 stream stream",
        "0 stream groups",
        "3 string other",
        "0 hash big-hash",
        "0 list big-list",
        "0 set big-set",
        "0 zset big-zset",
        "0 stream big-stream",
        "0 string big-string",
    ];
    assert_eq!(named(&ran, "differs"), set(&differ), "{}", ran.said);
    let all = lines(&ran);
    let summary = &all.last().expect("a line")["summary"];
    assert_eq!(
        (&summary["same"], &summary["with"]),
        (&15.into(), &"192.168.158.12:6379".into()),
        "{}",
        ran.said
    );
    assert_eq!(data(), before, "the data of the service has changed");
    assert_nothing_is_left(a);
    // For people: some of them, and the counts.
    let ran = rollback(a, &["inspect", "latest", "--limit", "5"]);
    assert_eq!(ran.code, Some(1), "{}", ran.said);
    for part in [
        "compared with 192.168.158.12:6379, which holds the VIP",
        "... and 13 more",
        "not compared: ours",
        "15 same, 3 only in the file, 15 differ",
    ] {
        assert!(ran.said.contains(part), "no {part}: {}", ran.said);
    }
    // What is only there is brought back; what is there stays.
    let ran = rollback(a, &["inspect", "latest", "--export", "/tmp/keys"]);
    assert!(ran.said.contains("wrote 3 keys"), "{}", ran.said);
    ask(b, &["SET", "only-on-a", "newer"]);
    let (_, said) = cli(a, "redis-cli -h 192.168.158.12 --pipe < /tmp/keys");
    assert!(said.contains("errors: 1"), "{said}");
    assert_eq!(ask(b, &["GET", "only-on-a"]).text(), "newer");
    let ran = rollback(a, &["inspect", "latest", "--json"]);
    assert_eq!(named(&ran, "only_in_file"), set(&[]), "{}", ran.said);
    assert!(
        named(&ran, "differs").contains("0 string only-on-a"),
        "{}",
        ran.said
    );
}

#[test]
fn inspect_says_which_rights_it_lacks_and_is_content_with_them() {
    let pair = kept();
    for host in [pair.a(), pair.b()] {
        let programs = "+ping +info +fcall_ro +client|kill";
        tell(
            host,
            &format!("ACL SETUSER ha on \">{PASSWORD}\" {programs}"),
        );
        host.write(CONFIG, &pair.config("username = \"ha\""), 0o644)
            .expect("written");
    }
    let ran = rollback(pair.a(), &["inspect", "latest"]);
    assert_eq!(ran.code, Some(3), "{}", ran.said);
    let (_, rights) = ran
        .said
        .trim()
        .split_once("needs these rights: ")
        .unwrap_or_else(|| panic!("{}", ran.said));
    ask(
        pair.b(),
        &["ACL", "SETUSER", "ha"]
            .into_iter()
            .chain(rights.split(' '))
            .collect::<Vec<_>>(),
    );
    let ran = rollback(pair.a(), &["inspect", "latest"]);
    assert!(
        ran.code == Some(1) && ran.said.contains("15 same, 3 only in the file, 15 differ"),
        "{}",
        ran.said
    );
    assert_nothing_is_left(pair.a());
}

#[test]
fn ctrl_c_ends_an_inspection_and_the_server_that_it_has_started() {
    let pair = kept();
    let mut inspection = start_with(
        pair.a(),
        "",
        "keepalived-redis rollback inspect latest --pace 1",
    );
    let private = || {
        pair.a()
            .sh("pgrep -f '[r]edis-server.*unixsocket'")
            .is_ok_and(|out| out.status.success())
    };
    wait::until("it is at work", SOON, private).expect("it starts a server");
    inspection.signal(Signal::SIGINT);
    assert_eq!(inspection.until_ended(SOON), Some(3));
    assert_nothing_is_left(pair.a());
}

#[test]
fn list_and_show_tell_of_whole_damaged_and_foreign_files() {
    let pair = Pair::diverged("");
    let a = pair.a();
    assert!(
        rollback(a, &["list"])
            .said
            .starts_with("no rollback file of redis-ha"),
        "{}",
        rollback(a, &["list"]).said
    );
    assert_eq!(run(a, "redis_backup", &[]).code, Some(0));
    let ran = rollback(a, &["list"]);
    let lines: Vec<&str> = ran.said.lines().collect();
    assert!(
        ran.code == Some(0)
            && lines[1].starts_with("FILE ")
            && lines[3].contains("[the newest] ")
            && lines[3].contains("serves"),
        "{}",
        ran.said
    );
    let columns: Vec<&str> = lines[2].split_whitespace().collect();
    assert_eq!(
        columns[1..4],
        ["192.168.158.11:6379", "192.168.158.12:6379", "1"],
        "{}",
        ran.said
    );
    let shown = rollback(a, &["show", columns[0]]);
    assert_eq!(shown.code, Some(0), "{}", shown.said);
    for part in [
        "whole",
        "1 key, written by",
        "redis-server --port 7777",
        "192.168.158.11:6379 was about to follow",
    ] {
        assert!(shown.said.contains(part), "no {part}: {}", shown.said);
    }
    // The next ones are copies that something has happened to.
    let harm = format!(
        "cd {ROLLBACK} && set -- *.rdb && name=${{1%.rdb}} &&
         cp $name.rdb 20270101T000000.000-redis-ha-192.168.158.11_6379.rdb &&
         cp $name.rdb 20270102T000000.000-redis-ha-192.168.158.11_6379.rdb &&
         cp $name.json 20270102T000000.000-redis-ha-192.168.158.11_6379.json &&
         truncate -s -9 20270102T000000.000-redis-ha-192.168.158.11_6379.rdb &&
         {{ printf REDIS0099; tail -c +10 $name.rdb; }} > 20270103T000000.000-redis-ha-192.168.158.11_6379.rdb &&
         {{ printf VALKEY080; tail -c +10 $name.rdb; }} > 20270103T000000.001-redis-ha-192.168.158.11_6379.rdb &&
         cp $name.rdb 20270104T000000.000-sessions-192.168.158.11_6380.rdb"
    );
    assert!(a.sh(&harm).expect("a shell").status.success());
    let ran = rollback(a, &["list"]);
    let (ours, others) = ran
        .said
        .split_once("of other instances:")
        .unwrap_or_else(|| panic!("{}", ran.said));
    assert!(
        ours.contains("no text beside it") && ours.contains("it is damaged"),
        "{}",
        ran.said
    );
    assert!(
        others.contains("20270104T000000.000") && !ours.contains("20270104"),
        "{}",
        ran.said
    );
    for (file, code, why) in [
        ("20270101", 0, "nothing is known of it but its name"),
        ("20270102", 1, "damaged: [offset"),
        ("20270103T000000.000", 1, "newer Redis"),
        ("20270103T000000.001", 1, "newer Redis or Valkey"),
        ("20270105", 3, "no rollback file"),
        ("2027", 3, "begin with 2027"),
    ] {
        let ran = rollback(a, &["show", file]);
        assert!(
            ran.code == Some(code) && ran.said.contains(why),
            "{file}: {:?} {}",
            ran.code,
            ran.said
        );
    }
    for (file, why) in [
        ("20270102", "damaged"),
        ("20270103T000000.000", "newer Redis"),
    ] {
        let ran = rollback(a, &["inspect", file]);
        assert!(
            ran.code == Some(3) && ran.said.contains(why) && ran.said.lines().count() == 1,
            "{file}: {}",
            ran.said
        );
    }
    assert_nothing_is_left(a);
    for (words, code, why) in [
        (&["20270101"][..], 3, "give --yes"),
        (&["20270104", "20270101", "--yes"], 3, "of another instance"),
        (&["20270101", "--yes"], 0, "discarded by hand"),
        (&["20270101", "--yes"], 3, "no rollback file"),
    ] {
        let ran = rollback(a, &[&["discard"], words].concat());
        assert!(
            ran.code == Some(code) && ran.said.contains(why),
            "{words:?}: {:?} {}",
            ran.code,
            ran.said
        );
    }
    // Somebody without the rights.
    a.write(
        CONFIG,
        &pair.config("").replace("password_file", "#"),
        0o644,
    )
    .expect("written");
    let out = a
        .sh(
            "setpriv --reuid 65534 --clear-groups /usr/libexec/keepalived/keepalived-redis \
            rollback list",
        )
        .expect("a shell");
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(
        out.status.code() == Some(3) && said.contains("run it as root"),
        "{said}"
    );
}
