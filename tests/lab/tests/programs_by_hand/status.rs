//! `keepalived-redis status` and `explain`, in each state of a pair.

use lab::host::Host;
use lab::lab::VIP;
use lab::redis_server;

use lab::wait;
use serde_json::Value;

use crate::pair::{Pair, SOON, Version, ask};
use crate::runs::run;

const PROGRAM: &str = "keepalived-redis";

fn status(host: &Host, healthy: bool) -> Value {
    let ran = run(host, PROGRAM, &["status", "--json"]);
    assert_eq!(ran.code, Some(i32::from(!healthy)), "{}", ran.said);
    serde_json::from_str(&ran.said).unwrap_or_else(|error| panic!("{error}: {}", ran.said))
}

fn explains(host: &Host, words: &str) {
    let ran = run(host, PROGRAM, &["explain"]);
    assert!(
        ran.code == Some(0) && ran.said.contains(words),
        "{words}: {}",
        ran.said
    );
}

#[test]
fn each_node_sees_the_same_healthy_pair() {
    let pair = Pair::new(Version::Own);
    assert_eq!(run(pair.a(), "redis_master", &[]).code, Some(0));
    ask(pair.a(), &["SET", "key", "1"]);
    pair.until_linked(pair.b());
    for host in [pair.a(), pair.b()] {
        let seen = status(host, true);
        assert_eq!(seen["vip"], VIP.to_string(), "{seen}");
        assert_eq!(seen["vip_at"], "192.168.158.11:6379", "{seen}");
        let [a, b] = [&seen["nodes"][0], &seen["nodes"][1]];
        assert_eq!(
            (&a["role"], &b["role"]),
            (&"master".into(), &"replica".into()),
            "{seen}"
        );
        assert_eq!(
            (&b["link"], &b["lag_bytes"]),
            (&"up".into(), &0.into()),
            "{seen}"
        );
        assert_eq!(
            (&a["keys"], &a["standing"], &b["standing"]),
            (&1.into(), &"serving".into(), &"in sync".into())
        );
        assert_eq!(
            (&a["eligible"], &b["eligible"]),
            (&true.into(), &true.into()),
            "{seen}"
        );
        assert_eq!(a["local"], host.name == pair.a().name, "{seen}");
    }
    let metrics = run(
        pair.b(),
        PROGRAM,
        &["status", "--prometheus", "--output", "/tmp/redis.prom"],
    );
    assert_eq!((metrics.code, metrics.said.as_str()), (Some(0), ""));
    let text =
        std::fs::read_to_string(pair.b().file("/tmp/redis.prom")).expect("the file is there");
    for line in [
        "keepalived_redis_healthy{pair=\"redis-ha\"} 1",
        "keepalived_redis_vip_here{pair=\"redis-ha\"} 0",
        "keepalived_redis_node_master{pair=\"redis-ha\",node=\"192.168.158.11:6379\"} 1",
        "keepalived_redis_node_lag_bytes{pair=\"redis-ha\",node=\"192.168.158.12:6379\"} 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
    explains(pair.a(), "redis_master: nothing to do: master already");
    explains(
        pair.b(),
        "redis_backup and redis_fault: nothing to do: replica of 192.168.158.11:6379, in sync",
    );
    explains(
        pair.b(),
        "redis_master, if the VIP came here: takes the role over from 192.168.158.11:6379, \
         without losing",
    );
}

#[test]
fn what_is_wrong_is_said_and_in_the_exit_code() {
    let pair = Pair::new(Version::Own);
    let (a, b) = (pair.a(), pair.b());
    let troubles = |host: &Host| status(host, false)["troubles"].to_string();
    redis_server::kill(b).expect("it dies");
    let refused = || {
        run(a, PROGRAM, &["status"])
            .said
            .contains("connection refused")
    };
    wait::until("it is seen to be dead", SOON, refused).expect("nobody listens there");
    assert_eq!(troubles(a), "[\"192.168.158.12:6379: connection refused\"]");
    let metrics = run(a, PROGRAM, &["status", "--prometheus"]);
    assert!(
        metrics.code == Some(0)
            && metrics
                .said
                .contains("node_up{pair=\"redis-ha\",node=\"192.168.158.12:6379\"} 0")
    );
    // From the node whose own Redis is dead, too.
    assert_eq!(troubles(b), "[\"192.168.158.12:6379: connection refused\"]");
    explains(
        b,
        "waits: the local Redis at 192.168.158.12:6379: connection refused",
    );
    pair.start_redis(b);
    ask(b, &["SLAVEOF", "NO", "ONE"]);
    let said = troubles(a);
    assert!(
        said.contains("more than one master: 192.168.158.11:6379, 192.168.158.12:6379"),
        "{said}"
    );
    pair.vip(b);
    explains(b, "redis_master: ");
    ask(a, &["SLAVEOF", "127.0.0.1", "1"]);
    ask(b, &["SLAVEOF", "127.0.0.1", "1"]);
    let said = troubles(b);
    assert!(
        said.contains("the VIP is at 192.168.158.12:6379, whose Redis is not seen to be master"),
        "{said}"
    );
    assert!(
        said.contains("no node is seen to be master") && said.contains("it follows 127.0.0.1:1"),
        "{said}"
    );
}

#[test]
fn it_works_without_root_as_far_as_files_allow_and_says_what_it_could_not_see() {
    let pair = Pair::new(Version::Own);
    let a = pair.a();
    let nobody = |more: &str| {
        let line = format!(
            "{more} setpriv --reuid=65534 --regid=65534 --clear-groups \
             /usr/libexec/keepalived/keepalived-redis status --json"
        );
        let out = a.sh(&line).expect("a shell");
        let said = String::from_utf8_lossy(&out.stdout).into_owned();
        (
            out.status.code(),
            serde_json::from_str::<Value>(&said).unwrap_or_else(|error| panic!("{error}: {said}")),
        )
    };
    run(a, "redis_master", &[]);
    let (code, seen) = nobody("");
    assert_eq!(code, Some(1), "{seen}");
    assert!(
        seen["notes"]
            .to_string()
            .contains("redis.pass: can't be read: Permission denied"),
        "{seen}"
    );
    assert!(
        seen["nodes"][0]["refuses"] == true && seen["nodes"][0]["role"].is_null(),
        "{seen}"
    );
    // With the password all is seen but what this node remembers.
    let (code, seen) = nobody(&format!("REDISCLI_AUTH=\"{}\"", redis_server::PASSWORD));
    assert_eq!((code, &seen["healthy"]), (Some(0), &true.into()), "{seen}");
    assert!(
        seen["notes"].to_string().contains("run it as root") && seen["nodes"][0]["vrrp"].is_null(),
        "{seen}"
    );
}

#[test]
fn a_closed_pipe_ends_it_and_a_wrong_configuration_is_one_line() {
    let pair = Pair::new(Version::Own);
    let a = pair.a();
    let out = a.sh(
        "timeout 20 /usr/libexec/keepalived/keepalived-redis status --watch --interval \
        200ms | head -n 1",
    );
    let out = out.expect("a shell");
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(
        said.starts_with("redis-ha   VIP 192.168.158.13") && out.stderr.is_empty(),
        "{said}: {out:?}"
    );
    assert!(!said.contains('\u{1b}'), "colours in a pipe: {said:?}");
    let ran = run(
        a,
        PROGRAM,
        &["--config", "/etc/keepalived/none.toml", "status"],
    );
    assert_eq!(ran.code, Some(3), "{}", ran.said);
    assert!(
        ran.said.starts_with("keepalived-redis: ") && ran.said.lines().count() == 1,
        "{}",
        ran.said
    );
    // A broken edit: what is known by the last good one, and an alarm.
    run(a, "check_redis", &[]);
    a.write("/etc/keepalived/redis-ha.toml", "nodes = [", 0o644)
        .expect("a write");
    let ran = run(a, PROGRAM, &["status"]);
    assert!(
        ran.code == Some(0) && ran.said.contains("ALARM") && ran.said.contains("not valid TOML"),
        "{}",
        ran.said
    );
}
