//! The lab can be believed: its hosts lose power, networks and time as real ones do, and its
//! writer sees every loss.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use lab::host::{Cable, Host};
use lab::lab::{Lab, NODES};
use lab::redis_server::{self, PORT, Persistence, Settings};
use lab::workload::{Accounts, DATABASES};
use lab::writer::{Rate, key};
use lab::{readback, run, wait};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

fn hosts_with_redis() -> Lab {
    let lab = run::usual_lab().expect("a lab can be set up (root?)");
    for host in &lab.hosts {
        redis_server::start(host).expect("Redis can be started");
        redis_server::until_up(host).expect("Redis comes up");
    }
    lab
}

fn reaches(from: &Host, to: &Host) -> bool {
    let target = SocketAddr::new(to.address, PORT);
    let net = from.net().expect("the host is on");
    net.within(|| Ok(TcpStream::connect_timeout(&target, Duration::from_secs(1))?))
        .is_ok()
}

fn has_vip(lab: &Lab, host: &Host) {
    let added = host.sh(&format!("ip addr add {}/32 dev eth0", lab.target().ip()));
    assert!(
        added.is_ok_and(|out| out.status.success()),
        "the VIP could not be added"
    );
}

#[test]
fn a_power_off_leaves_the_disk_and_nothing_else() {
    let lab = hosts_with_redis();
    let a = lab.a();
    has_vip(&lab, a);
    lab.ask(None, &["SET", "kept", "1"])
        .expect("the VIP answers");
    a.write("/run/gone", "1", 0o600).expect("written");
    a.power_off().expect("power off");
    assert!(
        a.processes(|_| true).is_empty(),
        "processes outlived the power"
    );
    assert!(
        lab.ask(None, &["PING"]).is_err(),
        "the VIP outlived the power"
    );
    wait::until("seen off", Duration::from_secs(2), || !lab.seen()[0].on).expect("seen off");
    a.power_on(Cable::Ready).expect("power on");
    assert!(!a.file("/run/gone").exists(), "/run outlived the power");
    redis_server::start(a).expect("Redis can be started");
    redis_server::until_up(a).expect("Redis comes up on the old disk");
    let kept = redis_server::call(a, &["GET", "kept"])
        .expect("an answer")
        .text();
    assert_eq!(kept, "1", "an acknowledged write was not on the disk");
}

#[test]
fn cut_off_hosts_reach_the_client_but_not_each_other() {
    let lab = hosts_with_redis();
    assert!(
        reaches(lab.a(), lab.b()),
        "two joined hosts do not reach each other"
    );
    lab.partition(true).expect("cut");
    assert!(
        !reaches(lab.a(), lab.b()),
        "two cut-off hosts reach each other"
    );
    for host in &lab.hosts {
        lab.ask(Some(host), &["PING"])
            .expect("the client reaches a cut-off host");
    }
    lab.partition(false).expect("joined");
    assert!(
        reaches(lab.a(), lab.b()),
        "healed hosts do not reach each other"
    );
}

#[test]
fn two_of_three_hosts_that_are_cut_off_from_each_other_reach_everybody_else() {
    let lab = Lab::of(Settings::default(), &NODES, &[]).expect("a lab can be set up (root?)");
    for host in &lab.hosts {
        redis_server::start(host).expect("Redis can be started");
        redis_server::until_up(host).expect("Redis comes up");
    }
    let [a, b, c] = [&lab.hosts[0], &lab.hosts[1], &lab.hosts[2]];
    lab.cut_between(b, c, true).expect("cut");
    assert!(
        !reaches(b, c) && !reaches(c, b),
        "two cut-off hosts reach each other"
    );
    for (from, to) in [(a, b), (b, a), (a, c), (c, a)] {
        assert!(
            reaches(from, to),
            "{} does not reach {}",
            from.name,
            to.name
        );
    }
    lab.hosts.iter().for_each(|host| {
        drop(
            lab.ask(Some(host), &["PING"])
                .expect("the client reaches all"),
        )
    });
    lab.cut_between(b, c, false).expect("joined");
    wait::until("joined", Duration::from_secs(5), || {
        reaches(b, c) && reaches(c, b)
    })
    .expect("joined");
}

#[test]
fn a_silent_network_has_a_link_and_lets_nothing_through() {
    let lab = hosts_with_redis();
    let a = lab.a();
    a.power_off().expect("power off");
    a.power_on(Cable::Silent).expect("power on");
    let link = a.sh("ip -o link show dev eth0").expect("ip runs");
    assert!(
        String::from_utf8_lossy(&link.stdout).contains("LOWER_UP"),
        "no carrier"
    );
    assert!(
        !reaches(a, lab.b()),
        "a silent network lets something through"
    );
    a.hear().expect("heard");
    // The kernel asks for an address that it could not resolve once a second, and may just have
    // asked.
    wait::until("the network", Duration::from_secs(5), || {
        reaches(a, lab.b())
    })
    .expect("the network never came");
    a.link(false).expect("link down");
    let link = a.sh("ip -o link show dev eth0").expect("ip runs");
    assert!(
        !String::from_utf8_lossy(&link.stdout).contains("LOWER_UP"),
        "carrier without a link"
    );
    a.link(true).expect("link up");
}

#[test]
fn a_frozen_host_answers_nothing_and_goes_on_after_the_thaw() {
    let lab = hosts_with_redis();
    let a = lab.a();
    a.freeze();
    assert!(
        lab.ask(Some(a), &["PING"]).is_err(),
        "a frozen Redis answers"
    );
    a.thaw();
    assert_eq!(
        lab.ask(Some(a), &["PING"]).expect("an answer").text(),
        "PONG"
    );
}

#[test]
fn a_slow_link_carries_what_its_rate_allows() {
    let lab = hosts_with_redis();
    let (a, b) = (lab.a(), lab.b());
    redis_server::fill(a, 30).expect("filled");
    b.rate(Some(80)).expect("limited");
    let start = Instant::now();
    let address = a.address.to_string();
    redis_server::call(b, &["CONFIG", "SET", "repl-diskless-sync-delay", "0"]).expect("set");
    redis_server::call(a, &["CONFIG", "SET", "repl-diskless-sync-delay", "0"]).expect("set");
    redis_server::call(b, &["SLAVEOF", &address, "6379"]).expect("SLAVEOF");
    wait::until("copied", Duration::from_secs(30), || lab.follows(b)).expect("copied");
    let took = start.elapsed();
    assert!(
        took > Duration::from_secs(3),
        "30 MB at 10 MB/s took only {took:?}"
    );
    assert!(
        took < Duration::from_secs(9),
        "30 MB at 10 MB/s took {took:?}"
    );
}

#[test]
fn orphans_are_reaped_by_pid_1() {
    let lab = run::usual_lab().expect("a lab can be set up (root?)");
    let a = lab.a();
    a.sh("(sleep 0.1 &)").expect("an orphan is born");
    wait::until("reaped", Duration::from_secs(5), || {
        let zombies = a
            .sh("cat /proc/[0-9]*/stat | grep -c ') Z 1 '")
            .expect("counted");
        a.processes(|name| name == "sleep").is_empty()
            && String::from_utf8_lossy(&zombies.stdout).trim() == "0"
    })
    .expect("the orphan is reaped");
}

#[test]
fn writes_that_vanish_are_found_in_files_or_counted_as_lost() {
    let lab = Lab::new(Settings {
        persistence: Persistence::Rdb,
        ..Settings::default()
    })
    .expect("a lab can be set up (root?)");
    let a = lab.a();
    redis_server::start(a).expect("Redis can be started");
    redis_server::until_up(a).expect("Redis comes up");
    has_vip(&lab, a);
    let writer = lab.write(Rate::PerSecond(200));
    wait::until("300 writes", Duration::from_secs(10), || {
        writer.acknowledged().0 >= 300
    })
    .expect("written");
    let written = writer.stop().expect("the writer ends");
    let rollback = "/var/lib/keepalived-redis/rollback";
    a.sh(&format!("mkdir -p {rollback}")).expect("made");
    for (from, to) in [(0, 10), (10, 25)] {
        if from == 10 {
            // The first ten are still in this file.
            redis_server::call(a, &["SAVE"]).expect("saved");
            a.sh(&format!("cp /var/lib/redis/dump.rdb {rollback}/before.rdb"))
                .expect("copied");
        }
        for ack in &written.acks[from..to] {
            redis_server::call(a, &["DEL", &key(ack.number)]).expect("deleted");
        }
    }
    let fate = readback::read_back(&lab, &written).expect("read back");
    assert_eq!(fate.acknowledged, written.acks.len());
    assert_eq!(
        fate.lost.len(),
        10,
        "the first ten were deleted before the file was taken"
    );
    assert_eq!(fate.in_files.len(), 15, "the next fifteen are in the file");
    assert_eq!(fate.files.len(), 1);
}

#[test]
fn a_workload_finds_what_came_back_with_an_old_copy_unless_a_file_shows_that_it_had_gone() {
    let lab = Lab::new(Settings {
        persistence: Persistence::Rdb,
        ..Settings::default()
    })
    .expect("a lab can be set up (root?)");
    let a = lab.a();
    redis_server::add_line(a, &format!("databases {DATABASES}")).expect("configured");
    redis_server::start(a).expect("Redis can be started");
    redis_server::until_up(a).expect("Redis comes up");
    has_vip(&lab, a);
    let workload = lab.work(Rate::PerSecond(600));
    let works = || {
        let before = workload.acknowledged().0;
        wait::until("600 more steps", Duration::from_secs(20), || {
            workload.acknowledged().0 >= before + 600
        })
        .expect("the workload goes on");
    };
    let save = |to: &str| {
        let _held = workload.hold();
        let saved = redis_server::call(a, &["SAVE"]).expect("an answer");
        assert!(saved.is_ok(), "{}", saved.text());
        a.sh(&format!("cp /var/lib/redis/dump.rdb {to}"))
            .expect("copied");
    };
    let archive = lab.dir();
    works();
    let mut accounts = Accounts::default();
    let found = accounts.check(&lab, &workload, archive).expect("read back");
    assert_eq!((found.lost, found.in_files), (0, 0), "{:?}", found.told);
    save("/tmp/old.rdb");
    works();
    save("/tmp/late.rdb");
    redis_server::kill(a).expect("killed");
    a.sh("cp /tmp/old.rdb /var/lib/redis/dump.rdb")
        .expect("an old copy is put in place");
    redis_server::start(a).expect("Redis can be started");
    redis_server::until_up(a).expect("Redis comes up");
    works();
    let found = accounts.check(&lab, &workload, archive).expect("read back");
    assert!(found.lost > 100 && found.in_files == 0, "{found:?}");
    // Each of them has gone back in one way or another.
    for object in ["register", "queue", "counter", "stream", "database"] {
        let told = found.told.iter().any(|told| told.starts_with(object));
        assert!(told, "no {object} in {:?}", found.told);
    }
    let again = accounts.check(&lab, &workload, archive).expect("read back");
    assert_eq!((again.lost, again.in_files), (0, 0), "counted twice");
    // The same loss, with what was in the data when it was dropped.
    let rollback = "/var/lib/keepalived-redis/rollback";
    a.sh(&format!("mkdir -p {rollback}; cp /tmp/late.rdb {rollback}"))
        .expect("copied");
    let excused = Accounts::default()
        .check(&lab, &workload, archive)
        .expect("read back");
    assert!(excused.lost <= 3, "one step of each thread: {excused:?}");
    assert!(excused.in_files > 100, "{excused:?}");
    // A file that is as old as the copy excuses nothing.
    a.sh(&format!("rm {rollback}/*; cp /tmp/old.rdb {rollback}"))
        .expect("copied");
    let old = Accounts::default()
        .check(&lab, &workload, archive)
        .expect("read back");
    assert_eq!((old.lost, old.in_files), (found.lost, 0), "{old:?}");
}

#[test]
fn a_gap_between_writes_is_measured() {
    let lab = hosts_with_redis();
    let a = lab.a();
    has_vip(&lab, a);
    let writer = lab.write(Rate::PerSecond(200));
    wait::until("100 writes", Duration::from_secs(10), || {
        writer.acknowledged().0 >= 100
    })
    .expect("written");
    let from = lab.story.now();
    a.link(false).expect("link down");
    std::thread::sleep(Duration::from_millis(700));
    a.link(true).expect("link up");
    let before = writer.acknowledged().0;
    wait::until("writes again", Duration::from_secs(10), || {
        writer.acknowledged().0 >= before + 100
    })
    .expect("written");
    let to = lab.story.now();
    let written = writer.stop().expect("the writer ends");
    let (gap, _) = written.longest_gap(from, to);
    assert!(gap >= Duration::from_millis(690), "the gap was {gap:?}");
    assert!(gap < Duration::from_millis(2500), "the gap was {gap:?}");
}

#[test]
fn a_lab_that_is_killed_leaves_no_process_behind() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut lab = Command::new(env!("CARGO_BIN_EXE_lab"))
        .args(["run", "--suite", "scripts", "--scenario", "kill-redis"])
        .env("TMPDIR", dir.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the lab program starts");
    let redis_runs = || {
        inside(dir.path())
            .iter()
            .filter(|name| *name == "redis-server")
            .count()
    };
    let up = wait::until("two Redis run", Duration::from_secs(20), || {
        redis_runs() == 2
    });
    lab.kill().expect("killed");
    lab.wait().expect("gone");
    up.expect("the lab came up");
    wait::until("all gone", Duration::from_secs(5), || {
        inside(dir.path()).is_empty()
    })
    .expect("nothing is left");
}

/// Names of the processes that live in a mount namespace with a disk below `dir`.
fn inside(dir: &Path) -> Vec<String> {
    let dir = dir.to_string_lossy().into_owned();
    let mut names = Vec::new();
    for entry in std::fs::read_dir("/proc")
        .expect("/proc is there")
        .flatten()
    {
        let read = |file| std::fs::read_to_string(entry.path().join(file)).unwrap_or_default();
        if read("mountinfo").contains(&dir) {
            names.push(read("comm").trim().to_owned());
        }
    }
    names
}

#[test]
fn a_lab_that_is_interrupted_leaves_no_disk_behind() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut lab = Command::new(env!("CARGO_BIN_EXE_lab"))
        .args(["run", "--suite", "scripts", "--scenario", "kill-redis"])
        .env("TMPDIR", dir.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the lab program starts");
    let up = wait::until("hosts run", Duration::from_secs(20), || {
        !inside(dir.path()).is_empty()
    });
    let pid = Pid::from_raw(i32::try_from(lab.id()).expect("a pid"));
    kill(pid, Signal::SIGTERM).expect("interrupted");
    lab.wait().expect("gone");
    up.expect("the lab came up");
    wait::until("all gone", Duration::from_secs(5), || {
        inside(dir.path()).is_empty()
            && std::fs::read_dir(dir.path()).is_ok_and(|mut left| left.next().is_none())
    })
    .expect("nothing is left");
}
