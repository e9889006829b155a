//! What Sentinel does by itself, and what it answers: what the programs rely on in Sentinel mode.
//! `--nocapture` prints the timelines, with what every sentinel sees.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lab::bench::rig::info;
use lab::cluster::{Cluster, Profile, Setup, Shape};
use lab::host::Host;
use lab::readback::read_back;
use lab::redis_server;
use lab::sentinel::eye::Eye;
use lab::sentinel::server::{self, NAME, Terms};
use lab::writer::Rate;
use lab::{story, wait};

const LIMIT: Duration = Duration::from_secs(60);

/// Sentinel alone, and the time that a sentinel needs to call a Redis down.
fn cluster(shape: Shape, down_after: Duration) -> Cluster {
    let terms = Terms {
        down_after,
        ..Terms::default()
    };
    let setup = Setup {
        shape,
        profile: Profile::Alone,
        terms,
        ..Setup::default()
    };
    Cluster::boot(setup).expect("a cluster comes up (root?)")
}

fn watched(cluster: &Cluster) -> Eye {
    Eye::open(cluster.watchers(), &cluster.lab.client, None)
}

/// What the sentinel on that host answers to `SENTINEL FAILOVER`.
fn failover(cluster: &Cluster, at: &Host) -> String {
    failover_from(cluster, at.address)
}

fn failover_from(cluster: &Cluster, at: IpAddr) -> String {
    let said = match server::call(&cluster.lab.client, at, None, &["FAILOVER", NAME]) {
        Ok(reply) => reply.text(),
        Err(e) => format!("{e:#}"),
    };
    cluster
        .lab
        .story
        .add("lab", "does", format!("SENTINEL FAILOVER at {at}: {said}"));
    said
}

fn hosts(cluster: &Cluster) -> [Arc<Host>; 3] {
    let all: Vec<Arc<Host>> = cluster.watchers().cloned().collect();
    all.try_into()
        .unwrap_or_else(|_| panic!("not three sentinels"))
}

/// Waits until that host is not the only master, or is none.
fn until_promoted(cluster: &Cluster, beside: &Host) -> Duration {
    let clock = Instant::now();
    let other = || {
        cluster
            .lab
            .masters()
            .iter()
            .any(|name| *name != beside.name)
    };
    wait::until("another one is promoted", LIMIT, other).expect("another one is promoted");
    clock.elapsed()
}

fn tell(cluster: &Cluster, what: &str) {
    println!("=== {what}\n{}", story::render(&cluster.lab.told(false)));
}

#[test]
fn a_failover_that_is_asked_for_just_after_the_death_does_not_wait_for_down_after() {
    let cluster = cluster(Shape::Three, Duration::from_secs(5));
    let [a, b, _] = hosts(&cluster);
    let eye = watched(&cluster);
    redis_server::kill(&a).expect("killed");
    assert_eq!(failover(&cluster, &b), "OK");
    let again = failover(&cluster, &b);
    let took = until_promoted(&cluster, &a);
    let whole_but_a =
        || cluster.lab.follows(&cluster.lab.hosts[1]) || cluster.lab.follows(&cluster.lab.hosts[2]);
    wait::until("the rest follows", LIMIT, whole_but_a).expect("the rest follows");
    redis_server::start(&a).expect("started");
    cluster
        .until_whole(Duration::from_secs(1), LIMIT)
        .expect("whole");
    drop(eye);
    tell(&cluster, "asked after a death");
    assert!(
        took < Duration::from_secs(2),
        "promoted only after {took:?}"
    );
    assert!(again.starts_with("INPROG"), "{again}");
}

#[test]
fn two_sentinels_that_are_asked_at_once_end_with_one_master() {
    let cluster = cluster(Shape::Three, Duration::from_secs(5));
    let [a, b, c] = hosts(&cluster);
    let eye = watched(&cluster);
    redis_server::kill(&a).expect("killed");
    let answers = std::thread::scope(|scope| {
        let asked = [&b, &c].map(|host| scope.spawn(|| failover(&cluster, host)));
        asked.map(|thread| thread.join().expect("asked"))
    });
    until_promoted(&cluster, &a);
    redis_server::start(&a).expect("started");
    let whole = cluster.until_whole(Duration::from_secs(1), LIMIT);
    drop(eye);
    tell(&cluster, &format!("two asked at once: {answers:?}"));
    whole.expect("whole");
    assert_eq!(answers, ["OK", "OK"], "neither knows of the other's");
}

/// It needs nobody's vote for that, and the highest epoch wins when it is heard again.
#[test]
fn a_sentinel_that_is_all_alone_promotes_its_own_redis_when_it_is_told_to_and_wins() {
    let cluster = cluster(Shape::Three, Duration::from_secs(5));
    let [a, b, _] = hosts(&cluster);
    let eye = watched(&cluster);
    b.silence().expect("cut off");
    let own = b.net().expect("on");
    let said = server::call(&own, b.address, None, &["FAILOVER", NAME])
        .expect("an answer")
        .text();
    cluster.lab.story.add(
        "lab",
        "does",
        format!("SENTINEL FAILOVER at the lonely one: {said}"),
    );
    wait::until("promoted", LIMIT, || {
        cluster.lab.masters().contains(&b.name)
    })
    .expect("promoted");
    b.hear().expect("joined");
    wait::until("demoted", LIMIT, || {
        !cluster.lab.masters().contains(&a.name)
    })
    .expect("the majority's is demoted");
    cluster
        .until_whole(Duration::from_secs(1), LIMIT)
        .expect("whole");
    drop(eye);
    tell(&cluster, "told to, all alone");
    assert_eq!(said, "OK");
    assert_eq!(cluster.lab.masters(), [b.name.as_str()]);
}

/// How the old master is kept from taking writes before it has been demoted.
enum Fence {
    /// `CLIENT PAUSE ms WRITE`
    Pause,
    /// `CONFIG SET min-replicas-to-write 1000`
    NoReplicas,
}

struct Fenced {
    gap: Duration,
    lost: usize,
    demoted: Duration,
    /// It stands in redis.conf, for Sentinel rewrites that when it demotes.
    written_down: bool,
}

/// A planned failover under writes, that keep their hands off the old master.
fn fenced(fence: &Fence) -> Fenced {
    let cluster = cluster(Shape::Three, Duration::from_secs(5));
    let [a, b, _] = hosts(&cluster);
    let eye = watched(&cluster);
    let writer = cluster.writer(Rate::PerSecond(1000), 0);
    wait::until("it writes", LIMIT, || writer.acknowledged().0 > 1000).expect("it writes");
    let from = cluster.lab.story.now();
    let command = match fence {
        Fence::Pause => ["CLIENT", "PAUSE", "40000", "WRITE"],
        Fence::NoReplicas => ["CONFIG", "SET", "min-replicas-to-write", "1000"],
    };
    redis_server::call(&a, &command).expect("fenced");
    a.tell(command.join(" "));
    let offset = |host: &Host| info(host, "master_repl_offset");
    let met = || {
        offset(&a).is_some()
            && cluster
                .lab
                .hosts
                .iter()
                .all(|host| offset(host) == offset(&a))
    };
    wait::until("the offsets meet", LIMIT, met).expect("the offsets meet");
    assert_eq!(failover(&cluster, &b), "OK");
    until_promoted(&cluster, &a);
    let promoted = Instant::now();
    wait::until("demoted", LIMIT, || cluster.lab.masters().len() == 1).expect("demoted");
    let demoted = promoted.elapsed();
    let file = std::fs::read_to_string(a.file("/etc/redis/redis.conf")).expect("redis.conf");
    let written_down = ["min-replicas-to-write 1000", "min-slaves-to-write 1000"]
        .iter()
        .any(|line| file.contains(line));
    redis_server::call(&a, &["CONFIG", "SET", "min-replicas-to-write", "0"]).expect("lifted");
    cluster
        .until_whole(Duration::from_secs(1), LIMIT)
        .expect("whole");
    let written = writer.stop().expect("it ends");
    let (gap, _) = written.longest_gap(from, cluster.lab.story.now());
    let lost = read_back(&cluster.lab, &written)
        .expect("read back")
        .lost
        .len();
    drop(eye);
    let what = command.join(" ");
    tell(
        &cluster,
        &format!(
            "{what}: gap {gap:?}, demoted {demoted:?} after the promotion, {lost} of {}",
            written.acks.len()
        ),
    );
    Fenced {
        gap,
        lost,
        demoted,
        written_down,
    }
}

#[test]
fn a_fence_that_refuses_writes_keeps_all_of_them_and_sentinel_demotes_behind_it_as_ever() {
    let Fenced {
        gap,
        lost,
        demoted,
        written_down,
    } = fenced(&Fence::NoReplicas);
    assert!(written_down, "Sentinel did not write it into redis.conf");
    assert_eq!(lost, 0);
    assert!(gap < Duration::from_secs(4), "{gap:?}");
    assert!(demoted < Duration::from_secs(20), "{demoted:?}");
}

/// Sentinel's own PUBLISH is held as well, and all that comes behind it on that connection.
#[test]
fn a_pause_of_writes_keeps_all_of_them_but_keeps_sentinel_from_demoting_until_it_ends() {
    let Fenced {
        gap, lost, demoted, ..
    } = fenced(&Fence::Pause);
    assert_eq!(lost, 0);
    assert!(gap < Duration::from_secs(4), "{gap:?}");
    assert!(demoted > Duration::from_secs(30), "{demoted:?}");
}

/// It is called a replica by then, but is none yet.
#[test]
fn a_failover_back_that_comes_too_soon_promotes_the_old_master_without_what_was_written_since() {
    let cluster = cluster(Shape::Witness, Duration::from_secs(5));
    let [a, b, _] = hosts(&cluster);
    let eye = watched(&cluster);
    assert_eq!(failover(&cluster, &a), "OK");
    until_promoted(&cluster, &a);
    let promoted = Instant::now();
    redis_server::call(&b, &["SET", "since", "1"]).expect("written");
    let mut answers: Vec<(Duration, String)> = Vec::new();
    // Another one that is asked before it has heard of the first would begin a second one at once:
    // each knows its own.
    let back = wait::until("it may be moved back", LIMIT, || {
        let said = failover(&cluster, &a);
        if answers.last().is_none_or(|(_, last)| *last != said) {
            answers.push((promoted.elapsed(), said.clone()));
        }
        said == "OK"
    });
    back.expect("it may be moved back");
    cluster
        .until_whole(Duration::from_secs(1), LIMIT)
        .expect("whole");
    let since = redis_server::call(&a, &["GET", "since"])
        .expect("read")
        .text();
    drop(eye);
    tell(
        &cluster,
        &format!(
            "and back: {answers:.1?}; masters {:?}; since: {since}",
            cluster.lab.masters()
        ),
    );
    assert_eq!(
        (cluster.lab.masters(), since.as_str()),
        (vec![a.name.clone()], "")
    );
}

#[test]
fn a_failover_of_a_hung_or_lost_master_is_accepted_at_once() {
    let cluster = cluster(Shape::Three, Duration::from_secs(5));
    let [a, b, _] = hosts(&cluster);
    let eye = watched(&cluster);
    redis_server::hang(&a);
    let hung = failover(&cluster, &b);
    let took_hung = until_promoted(&cluster, &a);
    redis_server::wake(&a);
    cluster
        .until_whole(Duration::from_secs(1), LIMIT)
        .expect("whole");
    let serving = cluster.serving().expect("one serves");
    serving.power_off().expect("off");
    let other = cluster
        .watchers()
        .find(|host| host.name != serving.name)
        .expect("another one")
        .clone();
    let lost = failover(&cluster, &other);
    let took_lost = until_promoted(&cluster, &serving);
    cluster.power_on(&serving).expect("on");
    let whole = cluster.until_whole(Duration::from_secs(1), LIMIT);
    drop(eye);
    tell(
        &cluster,
        &format!("hung: {hung} {took_hung:?}; lost: {lost} {took_lost:?}"),
    );
    whole.expect("whole");
    assert_eq!((hung.as_str(), lost.as_str()), ("OK", "OK"));
}

#[test]
fn a_sentinel_whose_clock_has_jumped_says_yes_and_does_nothing_for_half_a_minute() {
    let cluster = cluster(Shape::Three, Duration::from_secs(5));
    let [a, b, _] = hosts(&cluster);
    let eye = watched(&cluster);
    cluster.watchers().for_each(|host| server::hang(host));
    std::thread::sleep(Duration::from_secs(3));
    cluster.watchers().for_each(|host| server::wake(host));
    let answers = || cluster.watchers().all(|host| cluster.view(host).is_ok());
    wait::until("they answer", Duration::from_secs(5), answers).expect("they answer");
    redis_server::kill(&a).expect("killed");
    let said = failover(&cluster, &b);
    let said_of_itself = server::connect(&cluster.lab.client, b.address, None)
        .and_then(|mut sentinel| Ok(sentinel.call(&["INFO", "sentinel"])?.text()));
    let took = until_promoted(&cluster, &a);
    redis_server::start(&a).expect("started");
    let whole = cluster.until_whole(Duration::from_secs(1), LIMIT);
    drop(eye);
    tell(
        &cluster,
        &format!(
            "tilt: {said}, promoted after {took:?}; {}",
            said_of_itself.unwrap_or_default()
        ),
    );
    whole.expect("whole");
    assert_eq!(said, "OK");
    assert!(took > Duration::from_secs(20), "promoted after {took:?}");
}

#[test]
fn without_a_replica_that_lives_a_failover_is_refused() {
    let cluster = cluster(Shape::Witness, Duration::from_secs(5));
    let [a, b, _] = hosts(&cluster);
    let eye = watched(&cluster);
    redis_server::kill(&b).expect("killed");
    let mut answers: Vec<(Duration, String)> = Vec::new();
    let clock = Instant::now();
    let refused = wait::until("refused", LIMIT, || {
        let said = failover(&cluster, &a);
        let refused = said.starts_with("NOGOODSLAVE");
        answers.push((clock.elapsed(), said));
        refused
    });
    redis_server::start(&b).expect("started");
    let clock = Instant::now();
    let accepted = wait::until("accepted again", LIMIT, || {
        let said = failover(&cluster, &a);
        if answers.last().is_none_or(|(_, last)| *last != said) {
            answers.push((clock.elapsed(), said.clone()));
        }
        said == "OK"
    });
    drop(eye);
    tell(&cluster, &format!("no replica: {answers:?}"));
    refused.expect("refused");
    accepted.expect("accepted again");
}
