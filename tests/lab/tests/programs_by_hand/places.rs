//! Where the programs write and what they are started with: missing, read-only, full, damaged,
//! rotated, closed.

use std::time::Duration;

use lab::host::Host;
use lab::redis_server;
use lab::wait;

use crate::pair::{JOURNAL, MEMORY, Pair, SOON, Version, ask, info, journal};
use crate::runs::{run, start};

const LOGS: &str = "/var/log/keepalived-redis";
const MEMORIES: &str = "/var/lib/keepalived-redis";

fn sh(host: &Host, script: &str) -> String {
    let out = host.sh(script).expect("a shell");
    format!(
        "{}{}",
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr)
    )
}

/// Nothing can be written into `dir` any more.
fn read_only(host: &Host, dir: &str) {
    let said = sh(
        host,
        &format!(
            "mkdir -p {dir} && mount -t tmpfs -o size=64k none {dir} && mount -o remount,ro {dir}"
        ),
    );
    assert_eq!(said, "");
}

/// There is a file system, and no room on it.
fn full(host: &Host, dir: &str) {
    sh(
        host,
        &format!(
            "mkdir -p {dir} && mount -t tmpfs -o size=16k none {dir} && cat /dev/zero > {dir}/fill"
        ),
    );
}

/// There and back, as keepalived would: the role follows the VIP.
fn goes_there_and_back(pair: &Pair, what: &str) {
    for to in [pair.b(), pair.a()] {
        pair.vip(to);
        let ran = run(to, "redis_master", &[]);
        assert_eq!(ran.code, Some(0), "{what}: {}", ran.said);
        assert!(ran.took < Duration::from_secs(2), "{what}: {:?}", ran.took);
        let ran = run(pair.other(to), "redis_backup", &[]);
        assert_eq!(ran.code, Some(0), "{what}: {}", ran.said);
        pair.until_serves(to);
        for host in [pair.a(), pair.b()] {
            let ran = run(host, "check_redis", &[]);
            assert_eq!(ran.code, Some(0), "{what}: {}: {}", host.name, ran.said);
        }
    }
}

#[test]
fn the_role_moves_with_journals_and_memory_missing_read_only_or_full() {
    let pair = Pair::new(Version::Own);
    goes_there_and_back(&pair, "nothing there yet");
    for host in [pair.a(), pair.b()] {
        sh(host, &format!("rm -rf {LOGS} {MEMORIES}"));
    }
    goes_there_and_back(&pair, "directories removed");
    assert!(
        !journal(pair.b()).is_empty(),
        "the directory was not made again"
    );
    for (what, close) in [("read-only", read_only as fn(&Host, &str)), ("full", full)] {
        for host in [pair.a(), pair.b()] {
            close(host, LOGS);
            close(host, MEMORIES);
        }
        goes_there_and_back(&pair, what);
        for host in [pair.a(), pair.b()] {
            sh(host, &format!("umount {LOGS} {MEMORIES}"));
        }
    }
}

#[test]
fn damaged_memory_is_unknown_and_no_crash() {
    let pair = Pair::new(Version::Own);
    goes_there_and_back(&pair, "healthy");
    for host in [pair.a(), pair.b()] {
        let files = sh(
            host,
            &format!("cd {MEMORY} && for f in *; do head -c 700 /dev/urandom > $f; done; ls"),
        );
        assert!(files.contains("turn"), "{files}");
    }
    goes_there_and_back(&pair, "random bytes");
    for host in [pair.a(), pair.b()] {
        sh(
            host,
            &format!("cd {MEMORY} && for f in *; do rm $f; mkdir $f; done"),
        );
    }
    goes_there_and_back(&pair, "directories in place of files");
}

#[test]
fn an_in_sync_replica_is_promoted_though_nothing_could_ever_be_remembered() {
    let pair = Pair::with(Version::Own, "[timing]\nalone_after = \"2s\"");
    read_only(pair.b(), MEMORIES);
    run(pair.b(), "check_redis", &["--eligible"]);
    redis_server::kill(pair.a()).expect("killed");
    pair.vip(pair.b());
    let _master = start(pair.b(), "redis_master");
    let promoted = wait::until("promoted", SOON, || {
        info(pair.b(), "role").as_deref() == Some("master")
    });
    promoted.unwrap_or_else(|error| panic!("{error}: no node serves\n{}", pair.story()));
}

#[test]
fn a_lone_master_serves_after_alone_after_though_nothing_can_be_remembered() {
    let pair = Pair::with(Version::Own, "[timing]\nalone_after = \"2s\"");
    read_only(pair.a(), MEMORIES);
    redis_server::kill(pair.b()).expect("killed");
    redis_server::kill(pair.a()).expect("killed");
    pair.start_redis(pair.a());
    let _master = start(pair.a(), "redis_master");
    let served = wait::until("it serves", SOON, || journal(pair.a()).contains("serving:"));
    served
        .unwrap_or_else(|error| panic!("{error}: its writes are held for ever\n{}", pair.story()));
    assert_eq!(pair.write_through_vip("after"), "OK");
}

#[test]
fn a_rotated_journal_goes_on_in_a_new_file_while_a_program_waits() {
    let pair = Pair::new(Version::Own);
    ask(pair.b(), &["SLAVEOF", "NO", "ONE"]);
    redis_server::kill(pair.a()).expect("killed");
    let mut backup = start(pair.b(), "redis_backup");
    wait::until("it waits", SOON, || journal(pair.b()).contains("waiting:")).expect("it waits");
    sh(pair.b(), &format!("mv {JOURNAL} {JOURNAL}.1"));
    pair.start_redis(pair.a());
    backup.until_ended(Duration::from_secs(30));
    assert!(
        journal(pair.b()).contains("in sync"),
        "{}",
        journal(pair.b())
    );
}

/// What keepalived does to its programs: no stdio, a umask of 0177, an empty environment, and
/// worse.
#[test]
fn the_role_moves_from_every_surrounding_that_a_program_may_be_started_in() {
    let pair = Pair::new(Version::Own);
    let bin = "/usr/libexec/keepalived";
    let surroundings = [
        ("closed stdio", "PROGRAM <&- >&- 2>&-"),
        ("umask 0177", "umask 0177; PROGRAM >/dev/null 2>&1"),
        ("no environment", "env -i PROGRAM"),
        (
            "the directory is gone",
            "mkdir /tmp/gone; cd /tmp/gone; rmdir /tmp/gone; PROGRAM",
        ),
        ("a full stdout", "PROGRAM >/dev/full 2>/dev/full"),
        ("a closed pipe", "PROGRAM 2>&1 | true; wait"),
        ("no files left but a few", "ulimit -n 16; PROGRAM"),
        (
            "a stack and memory that are small",
            "ulimit -v 200000; PROGRAM",
        ),
    ];
    for (round, (what, script)) in surroundings.into_iter().enumerate() {
        let (to, from) = if round % 2 == 0 {
            (pair.b(), pair.a())
        } else {
            (pair.a(), pair.b())
        };
        for host in [to, from] {
            sh(host, &format!("rm -rf {LOGS} {MEMORIES}"));
        }
        pair.vip(to);
        let said = sh(
            to,
            &script.replace("PROGRAM", &format!("{bin}/redis_master")),
        );
        wait::until(what, SOON, || info(to, "role").as_deref() == Some("master"))
            .unwrap_or_else(|error| panic!("{error}: {said}\n{}", pair.story()));
        let said = sh(
            from,
            &script.replace("PROGRAM", &format!("{bin}/redis_backup")),
        );
        pair.until_serves(to);
        assert!(
            journal(to).contains("took the role over"),
            "{what}: {said}\n{}",
            pair.story()
        );
        let modes = sh(to, &format!("stat -c %a {LOGS} {MEMORIES} {MEMORY}"));
        assert!(
            modes
                .lines()
                .all(|mode| mode.len() == 3 && mode.starts_with('7') && mode.ends_with(['0', '5'])),
            "{what}: {modes}"
        );
        if !what.contains("pipe") {
            let check = script.replace("PROGRAM", &format!("{bin}/check_redis"));
            assert_eq!(
                sh(
                    to,
                    &format!("({check}); echo $? > /tmp/code; cat /tmp/code")
                )
                .lines()
                .last(),
                Some("0"),
                "{what}"
            );
        }
    }
}

#[test]
fn a_check_says_one_line_a_change_and_is_silent_on_success() {
    let pair = Pair::new(Version::Own);
    let checks = || {
        std::fs::read_to_string(pair.b().file(&format!("{LOGS}/check-redis-status.log")))
            .unwrap_or_default()
    };
    for _ in 0..5 {
        let ran = run(pair.b(), "check_redis", &[]);
        assert_eq!((ran.code, ran.said.as_str()), (Some(0), ""));
    }
    assert!(checks().lines().count() <= 1, "{}", checks());
    redis_server::kill(pair.b()).expect("killed");
    for _ in 0..5 {
        let ran = run(pair.b(), "check_redis", &[]);
        assert_eq!(ran.code, Some(1), "{}", ran.said);
        assert_eq!(ran.said.lines().count(), 1, "{}", ran.said);
        assert!(ran.said.contains("connection refused"), "{}", ran.said);
    }
    assert_eq!(
        checks()
            .lines()
            .filter(|line| line.contains("refused"))
            .count(),
        1,
        "{}",
        checks()
    );
}

#[test]
fn only_a_failed_check_that_is_told_to_stops_keepalived_and_never_waits_for_it() {
    let pair = Pair::new(Version::Own);
    let a = pair.a();
    // There is no systemd in a host of the lab.
    let systemctl = "#!/bin/sh\necho \"$@\" >> /tmp/asked\nexec sleep 20\n";
    a.write("/usr/local/bin/systemctl", systemctl, 0o755)
        .expect("written");
    let asked = || std::fs::read_to_string(a.file("/tmp/asked")).unwrap_or_default();
    assert_eq!(run(a, "check_redis", &["--stop-keepalived"]).code, Some(0));
    redis_server::kill(a).expect("killed");
    assert_eq!(run(a, "check_redis", &[]).code, Some(1));
    assert_eq!(asked(), "");
    let ran = run(a, "check_redis", &["--stop-keepalived"]);
    assert_eq!(ran.code, Some(1), "{}", ran.said);
    assert!(
        ran.took < Duration::from_secs(1),
        "{:?}: {}",
        ran.took,
        ran.said
    );
    wait::until("systemctl is asked", SOON, || {
        asked().contains("stop keepalived")
    })
    .expect("it is asked");
}
