//! The hook: told of each transition, in an environment of facts, and never in the way.

use std::time::Duration;

use lab::host::Host;
use lab::redis_server;
use lab::wait;

use crate::pair::{Pair, SOON, Version, journal};
use crate::runs::run;

const HOOK: &str = "/usr/local/sbin/tell-me";
const TOLD: &str = "/tmp/told";

fn with_hook(more: &str) -> String {
    format!("[hooks]\non_transition = \"{HOOK} 'one word' two\"\n{more}")
}

/// One line for each time: event, state, peer, and what else was asked for.
fn write_hook(host: &Host) {
    let script = format!(
        "#!/bin/sh\numask 022\n\
         echo \"$KEEPALIVED_REDIS_EVENT $KEEPALIVED_REDIS_STATE node=$KEEPALIVED_REDIS_NODE \
         peer=$KEEPALIVED_REDIS_PEER \
         vip=$KEEPALIVED_REDIS_VIP took=$KEEPALIVED_REDIS_TOOK_MS \
         diverged=$KEEPALIVED_REDIS_DIVERGED_BYTES \
         file=$KEEPALIVED_REDIS_FILE instance=$KEEPALIVED_REDIS_INSTANCE args=$#,$1 \
         auth=$REDISCLI_AUTH \
         sentence=$KEEPALIVED_REDIS_SENTENCE\" >>{TOLD}\n"
    );
    host.write(HOOK, &script, 0o755).expect("a hook");
}

fn told(host: &Host) -> Vec<String> {
    let text = std::fs::read_to_string(host.file(TOLD)).unwrap_or_default();
    text.lines().map(str::to_string).collect()
}

/// The one line for `event`.
fn until_told(pair: &Pair, host: &Host, event: &str) -> String {
    let find = || {
        told(host)
            .into_iter()
            .filter(|line| line.starts_with(event))
            .collect::<Vec<_>>()
    };
    let heard = wait::until(&format!("the hook is told of {event}"), SOON, || {
        !find().is_empty()
    });
    heard.unwrap_or_else(|error| panic!("{error}: {:?}\n{}", told(host), pair.story()));
    let found = find();
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].clone()
}

#[test]
fn the_hook_is_told_of_each_transition_with_its_facts() {
    let pair = Pair::with(Version::Own, &with_hook(""));
    let (a, b) = (pair.a(), pair.b());
    write_hook(a);
    write_hook(b);
    pair.vip(b);
    assert_eq!(run(b, "redis_master", &[]).code, Some(0));
    let line = until_told(&pair, b, "took-over");
    for part in [
        "took-over MASTER node=192.168.158.12:6379 peer=192.168.158.11:6379 vip=192.168.158.13 \
         took=",
        "args=2,one word",
    ] {
        assert!(line.contains(part), "{line}");
    }
    assert!(
        line.contains("instance=redis-ha") && line.contains(" auth= "),
        "{line}"
    );
    assert_eq!(run(a, "redis_backup", &[]).code, Some(0));
    until_told(&pair, a, "in-sync BACKUP node=192.168.158.11:6379");
    redis_server::kill(b).expect("it dies");
    pair.vip(a);
    assert_eq!(run(a, "redis_master", &[]).code, Some(0));
    let line = until_told(&pair, a, "promoted MASTER");
    assert!(
        line.contains("sentence=promoted: in sync when the master went away"),
        "{line}"
    );
    let stopped = run(b, "redis_stop", &[]);
    assert_eq!(stopped.code, Some(0), "{}", stopped.said);
    until_told(&pair, b, "stop STOP");
}

#[test]
fn the_hook_is_told_what_was_kept_in_a_file() {
    let pair = Pair::diverged(&with_hook(""));
    write_hook(pair.a());
    assert_eq!(run(pair.a(), "redis_backup", &[]).code, Some(0));
    let line = until_told(&pair, pair.a(), "kept BACKUP");
    assert!(
        line.contains("peer=192.168.158.12:6379")
            && line.contains("file=/var/lib/keepalived-redis/"),
        "{line}"
    );
    let diverged = line
        .split("diverged=")
        .nth(1)
        .and_then(|rest| rest.split(' ').next())
        .unwrap_or_default();
    assert!(
        diverged.parse::<u64>().is_ok_and(|bytes| bytes > 20),
        "{line}"
    );
    until_told(&pair, pair.a(), "following BACKUP");
}

#[test]
fn a_hook_that_hangs_is_ended_and_one_that_is_missing_or_unsafe_is_a_line() {
    let pair = Pair::with(Version::Own, &with_hook("timeout = \"1s\""));
    let (a, b) = (pair.a(), pair.b());
    b.write(
        HOOK,
        &format!("#!/bin/sh\necho began >>{TOLD}\nexec sleep 7777\n"),
        0o755,
    )
    .expect("a hook");
    a.write(HOOK, "#!/bin/sh\n", 0o777).expect("a hook");
    pair.vip(b);
    let ran = run(b, "redis_master", &[]);
    assert!(
        ran.code == Some(0) && ran.took < Duration::from_secs(1),
        "it was waited for: {:?}: {}",
        ran.took,
        ran.said
    );
    wait::until("the hook runs", SOON, || !told(b).is_empty()).expect("it was started");
    b.until_gone("the hook is ended", |command| {
        command.contains("sleep 7777")
    })
    .expect("it is ended");
    assert_eq!(run(a, "redis_backup", &[]).code, Some(0));
    let says = |words: &str| assert!(journal(a).contains(words), "{}", journal(a));
    says(
        "warning: running the hook /usr/local/sbin/tell-me (hooks.on_transition): others could \
         change it",
    );
    a.sh(&format!("rm {HOOK}")).expect("a shell");
    assert_eq!(run(a, "redis_fault", &[]).code, Some(0));
    says("(hooks.on_transition): No such file or directory");
}
