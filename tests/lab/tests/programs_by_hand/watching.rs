//! `check_redis --watch` in places where it is hard to watch.

use std::time::Duration;

use lab::host::Host;
use lab::redis_server;
use lab::wait;
use nix::sys::signal::Signal;

use crate::pair::{CONFIG, Pair, SOON, Version};
use crate::runs::{Running, run, start, start_with};

const FILE: &str = "/run/watch/redis-ha.watch";
const WATCH: &str = "check_redis --watch /run/watch/redis-ha.watch";
/// Nobody listens; it is only said that there is a service manager.
const SERVICE: &str = "NOTIFY_SOCKET=/run/nobody";

fn checks(host: &Host) -> String {
    std::fs::read_to_string(host.file("/var/log/keepalived-redis/check-redis-status.log"))
        .unwrap_or_default()
}

fn says(host: &Host) -> String {
    std::fs::read_to_string(host.file(FILE))
        .unwrap_or_default()
        .trim()
        .to_owned()
}

fn until(pair: &Pair, value: &str) {
    wait::until(&format!("the file says {value}"), SOON, || {
        says(pair.a()) == value
    })
    .unwrap_or_else(|e| panic!("{e}: it says {:?}\n{}", says(pair.a()), pair.story()));
}

fn ends(watcher: &mut Running, pair: &Pair) {
    watcher.signal(Signal::SIGTERM);
    assert_eq!(watcher.until_ended(SOON), Some(0), "{}", pair.story());
    assert_eq!(says(pair.a()), "0", "who is not there keeps nobody out");
}

#[test]
fn without_a_configuration_it_ends_by_hand_and_as_a_service_waits_for_one_and_keeps_nobody_out() {
    let pair = Pair::new(Version::Own);
    let a = pair.a();
    let file = a.file(CONFIG);
    let text = std::fs::read_to_string(&file).expect("the configuration");
    a.sh(
        "rm -rf /var/lib/keepalived-redis/redis-ha; mkdir -p /run/watch; echo 1 > \
        /run/watch/redis-ha.watch",
    )
    .expect("run");
    std::fs::write(&file, "nodes = 1\n").expect("spoilt");
    assert_eq!(start(a, WATCH).until_ended(SOON), Some(3));
    assert_eq!(says(a), "1", "it was run by hand");
    let mut watcher = start_with(a, SERVICE, WATCH);
    until(&pair, "0");
    redis_server::kill(a).expect("killed");
    std::fs::write(&file, text).expect("mended");
    until(&pair, "1");
    pair.start_redis(a);
    until(&pair, "0");
    ends(&mut watcher, &pair);
}

#[test]
fn a_changed_time_for_a_hang_counts_at_once_and_a_broken_edit_changes_nothing() {
    let pair = Pair::new(Version::Own);
    let a = pair.a();
    let mut watcher = start(a, WATCH);
    until(&pair, "0");
    let file = a.file(CONFIG);
    let text = std::fs::read_to_string(&file).expect("the configuration");
    redis_server::hang(a);
    until(&pair, "1");
    redis_server::wake(a);
    until(&pair, "0");
    std::fs::write(&file, format!("{text}\n[timing]\nhang = \"20s\"\n")).expect("edited");
    let read_again = || checks(a).contains("read the configuration again");
    wait::until("it reads it again", SOON, read_again)
        .unwrap_or_else(|e| panic!("{e}\n{}", pair.story()));
    for edit in [false, true] {
        if edit {
            std::fs::write(&file, "nodes = 1\n").expect("spoilt");
        }
        redis_server::hang(a);
        let failed = wait::until("1", Duration::from_secs(2), || says(a) == "1");
        redis_server::wake(a);
        assert!(failed.is_err(), "20 s had to pass\n{}", pair.story());
    }
    ends(&mut watcher, &pair);
}

#[test]
fn on_a_full_disk_the_file_still_says_the_truth() {
    let pair = Pair::new(Version::Own);
    let a = pair.a();
    a.sh("mkdir -p /run/watch && mount -t tmpfs -o size=16k none /run/watch")
        .expect("mounted");
    let mut watcher = start(a, WATCH);
    until(&pair, "0");
    a.sh("cat /dev/zero > /run/watch/fill").expect("filled");
    redis_server::kill(a).expect("killed");
    until(&pair, "1");
    pair.start_redis(a);
    until(&pair, "0");
    ends(&mut watcher, &pair);
}

#[test]
fn a_busy_redis_is_well_and_does_not_bring_the_vip_back() {
    let pair = Pair::new(Version::Own);
    let (a, b) = (pair.a(), pair.b());
    let eligible = || run(a, "check_redis", &["--eligible", "-v"]);
    wait::until("eligible", SOON, || eligible().code == Some(0)).expect("it serves");
    let busy = crate::hostile::busy(a);
    assert_eq!(eligible().code, Some(0), "the VIP is here, and stays");
    let mut watcher = start(a, WATCH);
    until(&pair, "0");
    pair.vip(b);
    assert_eq!(
        eligible().code,
        Some(1),
        "the VIP is elsewhere, and stays there"
    );
    busy.end();
    ends(&mut watcher, &pair);
}
