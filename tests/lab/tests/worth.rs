//! Whose data is worth more, on real servers: to delete is to write; who knows that it lacks
//! something does not serve; terms never go back; no wait is for ever.

use std::time::Duration;

use lab::host::{Cable, Host};
use lab::lab::Lab;
use lab::redis_server::{self, Boot, Persistence, Settings};
use lab::run::bring_up;
use lab::suite::Suite;
use lab::wait;

const SOON: Duration = Duration::from_secs(30);
/// `timing.alone_after` is 20 s; what has to stay away stays away for longer than that.
const LONGER: Duration = Duration::from_secs(28);

const AOF: Settings = Settings {
    persistence: Persistence::Aof,
    boot: Boot::AsReplica,
    ..Settings::DEFAULT
};

fn pair() -> Lab {
    let lab = Lab::new(AOF).expect("a lab (root?)");
    bring_up(&lab, Suite::OURS).expect("the pair comes up");
    lab
}

fn ask(lab: &Lab, command: &[&str]) -> String {
    let reply = lab.ask(None, command).expect("an answer on the VIP");
    reply.text()
}

fn until(what: &str, limit: Duration, condition: impl FnMut() -> bool) {
    wait::until(what, limit, condition).expect(what);
}

/// The term that the data of a host has, as its programs read it.
fn term(host: &Host) -> Option<u64> {
    let reply = redis_server::call(host, &["FCALL_RO", "keepalived_redis_term", "0"]).ok()?;
    reply.text().split(' ').next()?.parse().ok()
}

fn journal_has(host: &Host, words: &str) -> bool {
    let found = host.sh(&format!(
        "grep -rqs -- '{words}' /var/log/keepalived-redis /var/log"
    ));
    found.is_ok_and(|out| out.status.success())
}

fn boot(host: &std::sync::Arc<Host>) {
    host.power_on(Cable::Ready).expect("power");
    redis_server::start(host).expect("Redis is started");
    Suite::OURS
        .start_keepalived(host)
        .expect("keepalived is started");
}

#[test]
fn a_job_that_was_popped_while_the_old_master_was_away_is_not_handed_out_again() {
    let lab = pair();
    let (a, b) = (lab.a().clone(), lab.b().clone());
    ask(&lab, &["LPUSH", "jobs", "the only one"]);
    until("b has the job", SOON, || {
        redis_server::call(&b, &["LLEN", "jobs"]).is_ok_and(|reply| reply.text() == "1")
    });
    redis_server::kill(&a).expect("killed");
    until("b serves", SOON, || lab.serves(&b));
    assert_eq!(ask(&lab, &["RPOP", "jobs"]), "the only one");
    redis_server::start(&a).expect("started");
    lab.until_serves(&a, &b, Duration::from_secs(60))
        .expect("a comes back in sync");
    assert_eq!(ask(&lab, &["LLEN", "jobs"]), "0", "it is handed out twice");
}

#[test]
fn a_node_that_was_copying_when_the_master_was_lost_does_not_serve_its_old_keys() {
    let lab = pair();
    let (a, b) = (lab.a().clone(), lab.b().clone());
    ask(&lab, &["SET", "age", "old"]);
    until("b has it", SOON, || {
        redis_server::call(&b, &["GET", "age"]).is_ok_and(|reply| reply.text() == "old")
    });
    b.power_off().expect("off");
    ask(&lab, &["SET", "age", "new"]);
    redis_server::fill(&a, 60).expect("filled");
    // AOF is on the disk within a second.
    std::thread::sleep(Duration::from_millis(1500));
    boot(&b);
    b.rate(Some(40)).expect("a slow cable");
    until("b is being copied to", SOON, || {
        redis_server::call(&b, &["INFO", "replication"])
            .is_ok_and(|reply| reply.text().contains("master_sync_in_progress:1"))
    });
    // A check has seen that, too.
    std::thread::sleep(Duration::from_millis(1500));
    a.power_off().expect("off");
    b.rate(None).expect("a cable");
    std::thread::sleep(LONGER);
    assert!(!lab.serves(&b), "old data is served");
    assert!(
        journal_has(&b, "ALARM: the local data is outdated"),
        "in silence"
    );
    boot(&a);
    lab.until_serves(&a, &b, Duration::from_secs(90))
        .expect("the newer data is served");
    assert_eq!(ask(&lab, &["GET", "age"]), "new");
}

#[test]
fn a_term_that_an_application_erases_is_put_back_and_never_a_lower_one() {
    let lab = pair();
    let (a, b) = (lab.a().clone(), lab.b().clone());
    redis_server::kill(&a).expect("killed");
    until("b serves", SOON, || lab.serves(&b) && term(&b).is_some());
    std::thread::sleep(Duration::from_secs(2));
    let before = term(&b).expect("a term");
    ask(&lab, &["FUNCTION", "FLUSH"]);
    until("the term is there again", SOON, || term(&b).is_some());
    assert!(term(&b) >= Some(before), "{:?} after {before}", term(&b));
    ask(&lab, &["SET", "late", "1"]);
    redis_server::start(&a).expect("started");
    lab.until_serves(&a, &b, Duration::from_secs(60))
        .expect("a comes back in sync");
    assert_eq!(ask(&lab, &["GET", "late"]), "1");
    assert!(term(&a) > Some(before), "{:?} after {before}", term(&a));
}

#[test]
fn a_master_that_went_on_alone_stands_beside_a_backup_that_woke_alone_later() {
    let lab = pair();
    let (a, b) = (lab.a().clone(), lab.b().clone());
    b.power_off().expect("off");
    for number in 0..200 {
        ask(&lab, &["SET", &format!("went on:{number}"), "1"]);
    }
    until("a begins a new reign", SOON, || {
        ask(&lab, &["INCR", "went on"]);
        journal_has(&a, "going on without")
    });
    std::thread::sleep(Duration::from_millis(1500));
    a.power_off().expect("off");
    boot(&b);
    // It knows of nothing newer: a power cut does not wait for a person.
    until("b serves", Duration::from_secs(60), || lab.serves(&b));
    ask(&lab, &["SET", "late", "1"]);
    boot(&a);
    lab.until_serves(&a, &b, Duration::from_secs(90))
        .expect("the one that went on serves");
    assert_eq!(ask(&lab, &["EXISTS", "went on:199"]), "1");
    let files = b
        .sh("ls /var/lib/keepalived-redis/rollback/*.rdb | wc -l")
        .expect("a shell");
    let files = String::from_utf8_lossy(&files.stdout).trim().to_owned();
    assert_ne!(files, "0", "what b took alone is in no file");
}

#[test]
fn a_peer_that_lives_and_only_says_no_costs_a_cold_start_no_more_than_a_dead_one() {
    let lab = pair();
    let (a, b) = (lab.a().clone(), lab.b().clone());
    // Neither this node's programs nor the other's get in there any more.
    redis_server::call(&b, &["CONFIG", "SET", "requirepass", "mistyped"]).expect("set");
    redis_server::kill(&a).expect("killed");
    std::thread::sleep(Duration::from_secs(2));
    redis_server::start(&a).expect("started");
    until("a serves", Duration::from_secs(45), || lab.serves(&a));
    assert!(journal_has(&a, "ALARM"), "in silence");
}
