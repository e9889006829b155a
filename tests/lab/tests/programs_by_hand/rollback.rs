//! Rollback files: verified, told of in a text beside them, taken once, and nothing dropped where
//! they can't be had.

use std::path::PathBuf;
use std::time::Duration;

use lab::redis_server::PASSWORD;
use lab::wait;

use crate::pair::{Pair, ROLLBACK, SOON, Version, ask, info, journal};
use crate::runs::{run, start, start_and_kill};

fn files(pair: &Pair, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(pair.a().file(ROLLBACK))
        .into_iter()
        .flatten()
        .flatten();
    let paths = entries.map(|entry| entry.path());
    paths
        .filter(|path| path.extension().is_some_and(|e| e == extension))
        .collect()
}

fn follow(pair: &Pair) {
    let ran = run(pair.a(), "redis_backup", &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    pair.until_serves(pair.b());
}

fn until_refused(pair: &Pair, why: &str) {
    let _backup = start(pair.a(), "redis_backup");
    let said = || {
        journal(pair.a())
            .lines()
            .any(|line| line.contains("keeping a rollback file") && line.contains(why))
    };
    wait::until("it says why", 2 * SOON, said)
        .unwrap_or_else(|error| panic!("{error}\n{}", pair.story()));
    assert_eq!(
        ask(pair.a(), &["GET", "only-on-a"]).text(),
        "1",
        "{}",
        pair.story()
    );
    assert!(
        files(pair, "rdb").is_empty() && files(pair, "json").is_empty(),
        "{:?}",
        files(pair, "rdb")
    );
}

#[test]
fn the_text_beside_a_file_says_what_it_is() {
    let pair = Pair::diverged("");
    follow(&pair);
    let (rdb, json) = (files(&pair, "rdb"), files(&pair, "json"));
    assert_eq!((rdb.len(), json.len()), (1, 1), "{rdb:?} {json:?}");
    assert_eq!(rdb[0].with_extension("json"), json[0]);
    let text = std::fs::read_to_string(&json[0]).expect("readable");
    let told: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        told["file"],
        rdb[0]
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .as_ref(),
        "{text}"
    );
    assert_eq!(told["node"], "192.168.158.11:6379", "{text}");
    assert_eq!(told["followed"], "192.168.158.12:6379", "{text}");
    assert_eq!(told["keys"], 1, "{text}");
    assert_eq!(
        told["bytes"],
        std::fs::metadata(&rdb[0]).expect("there").len(),
        "{text}"
    );
    assert!(
        told["diverged_bytes"]
            .as_u64()
            .is_some_and(|bytes| bytes > 20 && bytes < 200),
        "{text}"
    );
    assert!(
        told["why"]
            .as_str()
            .is_some_and(|why| why.contains("192.168.158.12:6379 serves")),
        "{text}"
    );
    assert_eq!(
        told["lineage"]["master_replid"], told["followed_lineage"]["master_replid2"],
        "{text}"
    );
    // What it says how to look into it works.
    let look = told["look"].as_str().expect("a command").to_string();
    let mut redis = pair
        .a()
        .command("sh")
        .expect("on")
        .args(["-c", &format!("exec timeout 60 {look}")])
        .spawn()
        .expect("a shell");
    let there = || {
        let said = pair
            .a()
            .sh("redis-cli -p 7777 GET only-on-a")
            .expect("a shell")
            .stdout;
        String::from_utf8_lossy(&said).trim() == "1"
    };
    let looked = wait::until("the file can be looked into", SOON, there);
    pair.a()
        .sh("redis-cli -p 7777 SHUTDOWN NOSAVE")
        .expect("a shell");
    let _ = redis.wait();
    looked.expect("the command in the text works");
    let journal = journal(pair.a());
    assert!(journal.contains("keys=1 diverged_bytes="), "{journal}");
}

#[test]
fn a_file_that_is_damaged_is_none_and_nothing_is_dropped() {
    let pair = Pair::diverged("");
    // A disk that is full or bad: the end is missing when it is read again.
    let script = "#!/bin/sh\ntruncate -s -9 \"$1\"\nexec /usr/bin/redis-check-rdb \"$1\"\n";
    pair.a()
        .write("/usr/local/bin/redis-check-rdb", script, 0o755)
        .expect("written");
    until_refused(&pair, "damaged");
    pair.a()
        .sh("rm /usr/local/bin/redis-check-rdb")
        .expect("removed");
    follow(&pair);
    assert_eq!(files(&pair, "rdb").len(), 1);
}

#[test]
fn nothing_is_dropped_where_the_file_can_not_be_verified() {
    let pair = Pair::diverged("");
    pair.a()
        .sh("mount --bind /etc/keepalived/redis.pass $(readlink -f /usr/bin/redis-check-rdb)")
        .expect("hidden");
    until_refused(&pair, "redis-check-rdb");
}

#[test]
fn nothing_is_dropped_where_the_disk_is_too_small() {
    let pair = Pair::diverged("");
    pair.a()
        .sh(&format!(
            "mkdir -p {ROLLBACK} && mount -t tmpfs -o size=64k none {ROLLBACK}"
        ))
        .expect("mounted");
    until_refused(&pair, "bytes are free");
    pair.a()
        .sh(&format!("umount {ROLLBACK}"))
        .expect("unmounted");
    follow(&pair);
}

#[test]
fn always_keeps_what_is_contained_too_and_never_keeps_nothing_and_says_so() {
    let pair = Pair::with(Version::Own, "[rollback]\nmode = \"always\"");
    ask(pair.a(), &["SET", "on-both", "1"]);
    wait::until("b has it", SOON, || {
        ask(pair.b(), &["GET", "on-both"]).text() == "1"
    })
    .expect("b has it");
    ask(pair.b(), &["SLAVEOF", "NO", "ONE"]);
    pair.vip(pair.b());
    follow(&pair);
    assert_eq!(files(&pair, "rdb").len(), 1, "{}", pair.story());

    let pair = Pair::diverged("[rollback]\nmode = \"never\"");
    follow(&pair);
    assert!(files(&pair, "rdb").is_empty());
    assert!(
        journal(pair.a()).contains("rollback.mode is never"),
        "{}",
        pair.story()
    );
}

#[test]
fn the_same_data_is_kept_once_however_often_the_program_is_killed() {
    let pair = Pair::diverged("[rollback]\nkeep = 2");
    // The dump is done, SLAVEOF is refused: each run comes as far as that.
    ask(pair.a(), &["ACL", "SETUSER", "default", "-slaveof"]);
    for _ in 0..3 {
        let _backup = start(pair.a(), "redis_backup");
        let refused = || {
            journal(pair.a())
                .lines()
                .filter(|line| line.contains("NOPERM"))
                .count()
        };
        let before = refused();
        wait::until("refused", 2 * SOON, || refused() > before)
            .unwrap_or_else(|e| panic!("{e}\n{}", pair.story()));
    }
    assert_eq!(files(&pair, "rdb").len(), 1, "{}", pair.story());
    assert!(journal(pair.a()).contains("already"), "{}", pair.story());
    // One write more is other data, whose file takes the place of the first.
    ask(pair.a(), &["SET", "only-on-a-too", "1"]);
    ask(pair.a(), &["ACL", "SETUSER", "default", "+slaveof"]);
    follow(&pair);
    let left = files(&pair, "rdb");
    assert_eq!(left.len(), 1, "{}", pair.story());
    let bytes = std::fs::read(&left[0]).expect("readable");
    let has = |key: &[u8]| bytes.windows(key.len()).any(|part| part == key);
    assert!(has(b"only-on-a-too"), "{}", pair.story());
    assert!(
        journal(pair.a()).contains("removed the rollback file"),
        "{}",
        pair.story()
    );
}

#[test]
fn a_file_that_is_gone_before_the_data_is_dropped_is_taken_anew() {
    let pair = Pair::diverged("");
    ask(pair.a(), &["ACL", "SETUSER", "default", "-slaveof"]);
    {
        let _backup = start(pair.a(), "redis_backup");
        let refused = || journal(pair.a()).contains("NOPERM");
        wait::until("refused", 2 * SOON, refused)
            .unwrap_or_else(|e| panic!("{e}\n{}", pair.story()));
    }
    let first = files(&pair, "rdb").pop().expect("a file");
    std::fs::remove_file(&first).expect("removed");
    ask(pair.a(), &["ACL", "SETUSER", "default", "+slaveof"]);
    follow(&pair);
    let left = files(&pair, "rdb");
    assert!(left.len() == 1 && left[0] != first, "{}", pair.story());
}

#[test]
fn a_replica_without_a_link_keeps_data_of_its_own_before_it_follows() {
    for by_kill in [false, true] {
        let pair = Pair::diverged("");
        ask(
            pair.a(),
            &["CONFIG", "SET", "repl-diskless-sync-delay", "1"],
        );
        ask(pair.a(), &["SLAVEOF", "127.0.0.1", "1"]);
        if by_kill {
            for moment in [3, 8, 15, 30, 60, 120] {
                start_and_kill(
                    pair.a(),
                    "redis_backup",
                    "KILL",
                    Duration::from_millis(moment),
                );
            }
        }
        follow(&pair);
        let file = files(&pair, "rdb")
            .pop()
            .unwrap_or_else(|| panic!("no file\n{}", pair.story()));
        let bytes = std::fs::read(file).expect("readable");
        assert!(
            bytes.windows(9).any(|bytes| bytes == b"only-on-a"),
            "{}",
            pair.story()
        );
        assert_eq!(info(pair.a(), "role").as_deref(), Some("slave"));
    }
}

/// It asks the node that it still calls the master for its replicas, and forgets none.
#[test]
fn no_sentinel_takes_a_copy_that_is_being_made_for_a_replica() {
    let pair = Pair::diverged("");
    let a = pair.a();
    // Five seconds for the copy.
    ask(
        a,
        &[
            "EVAL",
            "for i=1,50 do redis.call('set','more:'..i,'x') end",
            "0",
        ],
    );
    ask(a, &["CONFIG", "SET", "rdb-key-save-delay", "100000"]);
    let _backup = start(a, "redis_backup");
    let copied = || info(a, "connected_slaves").as_deref() == Some("1");
    wait::until("the copy has begun", SOON, copied)
        .unwrap_or_else(|error| panic!("{error}\n{}", pair.story()));
    // Only now: the writes of this Redis are held, and a sentinel that has told it something waits
    // behind them (R31).
    let text = format!(
        "port 26379\nlogfile /var/log/sentinel.log\nsentinel monitor watched {} 6379 2\n\
         sentinel auth-pass watched \"{PASSWORD}\"\n",
        a.address
    );
    a.write("/etc/redis/sentinel.conf", &text, 0o640)
        .expect("written");
    a.spawn("redis-sentinel", &["/etc/redis/sentinel.conf"])
        .expect("a sentinel starts");
    let asked = |question: &str| {
        let said = a
            .sh(&format!("redis-cli -p 26379 SENTINEL {question} watched"))
            .expect("a shell")
            .stdout;
        String::from_utf8_lossy(&said).into_owned()
    };
    let informed = || {
        asked("MASTER")
            .lines()
            .skip_while(|line| *line != "runid")
            .nth(1)
            .is_some_and(|id| !id.is_empty())
    };
    wait::until("the sentinel has its INFO", SOON, informed).expect("it has it");
    assert!(copied(), "the copy was over too soon: {}", pair.story());
    let kept = || journal(a).contains("kept the local data");
    wait::until("it is kept", SOON, kept)
        .unwrap_or_else(|error| panic!("{error}\n{}", pair.story()));
    assert_eq!(
        asked("REPLICAS").trim(),
        "",
        "the sentinel has a replica that is none"
    );
    pair.until_serves(pair.b());
}
