//! The fast profile as install.sh sets it up: a watcher beside the check, adverts ten times a
//! second. Limits are several times what is usual, and yet so low that the check, which needs more
//! than a second, can't have met them.

use std::time::Duration;

use lab::host::Host;
use lab::lab::Lab;
use lab::redis_server;
use lab::run::{Goal, Run, usual_lab};
use lab::soak::soak;
use lab::suite::Suite;
use lab::trial::{is_whole, play};
use lab::writer::Rate;
use lab::{wait, watcher};
use nix::sys::signal::Signal;

const LIMIT: Duration = Duration::from_secs(40);
/// A check has not failed twice by then.
const BEFORE_THE_CHECK: Duration = Duration::from_millis(700);
/// With the check alone it takes 1 to 2.4 s.
const BY_THE_CHECK: Duration = Duration::from_secs(5);

fn within(scenario: &str, failover: Duration, failback: Duration) {
    play(scenario, Suite::FAST, |record, _| {
        is_whole(record);
        assert!(record.gap("failover") < failover, "{record}");
        assert!(record.gap("failback") < failback, "{record}");
    });
}

fn pair(lab: &Lab) -> Run<'_> {
    Run::start(lab, Suite::FAST, Rate::PerSecond(200)).expect("the pair comes up and serves")
}

/// How often a keepalived has changed its state.
fn moves(lab: &Lab) -> usize {
    lab.told(true)
        .iter()
        .filter(|event| event.what.contains("Entering "))
        .count()
}

/// Plays `act` on a pair that serves: no VRRP state changes.
fn nothing_moves(run: &mut Run<'_>, name: &'static str, act: impl FnOnce(&Lab)) {
    let before = moves(run.lab);
    assert!(before > 0, "keepalived's log is not read");
    let lab = run.lab;
    let played = run.phase(name, LIMIT, Goal::Serves(lab.a()), || {
        act(lab);
        Ok(())
    });
    played.expect("it is played");
    assert_eq!(moves(lab), before, "{name}: a VRRP state has changed");
}

/// Waits until a watcher other than `old` runs and the file says `value`.
fn anew(host: &Host, old: Option<nix::unistd::Pid>, value: &str) {
    let new =
        || watcher::pid(host).is_some_and(|pid| Some(pid) != old) && watcher::says(host) == value;
    wait::until(&format!("another watcher says {value}"), LIMIT, new).expect("it is started again");
}

#[test]
fn a_killed_redis_costs_less_than_the_check_needs_to_notice() {
    within("kill-redis", BEFORE_THE_CHECK, BEFORE_THE_CHECK);
}

#[test]
fn a_hung_redis_costs_less_than_the_check_needs_to_notice() {
    // 0.3 s until it is called hung, and two looks of redis_master at it, 0.5 s each. Two checks
    // would have to time out, which takes 1.4 s at least, and then the same looks.
    within("hang", Duration::from_millis(2400), BEFORE_THE_CHECK);
}

#[test]
fn a_clean_stop_of_keepalived_and_its_start_cost_little() {
    within("stop-keepalived", BEFORE_THE_CHECK, BEFORE_THE_CHECK);
}

#[test]
fn a_lost_host_costs_less_than_three_adverts_of_the_plain_profile() {
    within("power-loss", Duration::from_secs(2), BEFORE_THE_CHECK);
}

#[test]
fn a_serving_redis_that_restarts_quickly_loses_nothing() {
    play("serving-restarts", Suite::FAST, |record, _| {
        is_whole(record)
    });
}

#[test]
fn a_watcher_that_ends_while_all_is_well_moves_nothing() {
    let lab = usual_lab().expect("a lab can be set up (root?)");
    let mut run = pair(&lab);
    for signal in [Signal::SIGKILL, Signal::SIGTERM] {
        nothing_moves(&mut run, "the watcher ends", |lab| {
            for host in &lab.hosts {
                let old = watcher::pid(host);
                watcher::signal(host, signal).expect("it runs");
                anew(host, old, "0");
            }
        });
    }
    is_whole(&run.finish("the watcher ends").expect("all is read back"));
}

#[test]
fn a_watcher_that_ends_while_redis_is_dead_does_not_bring_the_vip_back() {
    let lab = usual_lab().expect("a lab can be set up (root?)");
    let (a, b) = (lab.a(), lab.b());
    let mut run = pair(&lab);
    run.phase("failover", LIMIT, Goal::ServesAlone(b), || {
        redis_server::kill(a)
    })
    .expect("it is played");
    assert_eq!(watcher::says(a), "1");
    let by_the_check = || {
        lab.told(true)
            .iter()
            .any(|e| e.who == a.name && e.what.contains("now returning 1"))
    };
    wait::until("the check has failed too", LIMIT, by_the_check).expect("it does");
    for signal in [Signal::SIGKILL, Signal::SIGTERM] {
        let old = watcher::pid(a);
        watcher::signal(a, signal).expect("it runs");
        anew(a, old, "1");
        run.until_written(200).expect("the client writes on");
        assert_eq!(lab.holders(), ["redis-b"], "after {signal}");
    }
    run.phase("failback", LIMIT, Goal::Serves(a), || {
        redis_server::start(a)
    })
    .expect("it is played");
    let record = run
        .finish("the watcher ends in FAULT")
        .expect("all is read back");
    is_whole(&record);
    assert!(record.gap("failover") < BEFORE_THE_CHECK, "{record}");
}

#[test]
fn without_its_watcher_a_dead_redis_is_failed_over_by_the_check() {
    let lab = usual_lab().expect("a lab can be set up (root?)");
    let (a, b) = (lab.a(), lab.b());
    let mut run = pair(&lab);
    nothing_moves(&mut run, "without a watcher", |lab| {
        watcher::stop(lab.a()).expect("it runs")
    });
    run.phase("failover", LIMIT, Goal::ServesAlone(b), || {
        redis_server::kill(a)
    })
    .expect("it is played");
    assert!(watcher::pid(a).is_none(), "it came back");
    run.phase("failback", LIMIT, Goal::Serves(a), || {
        redis_server::start(a)
    })
    .expect("it is played");
    let record = run.finish("without its watcher").expect("all is read back");
    is_whole(&record);
    assert!(record.gap("failover") < BY_THE_CHECK, "{record}");
}

#[test]
fn a_removed_file_or_directory_moves_nothing_and_leaves_a_pair_that_fails_over() {
    let lab = usual_lab().expect("a lab can be set up (root?)");
    let (a, b) = (lab.a(), lab.b());
    let mut run = pair(&lab);
    for what in [watcher::FILE, "/run/keepalived-redis"] {
        nothing_moves(&mut run, "removed", |lab| {
            let out = lab.a().sh(&format!("rm -r {what}")).expect("a shell");
            assert!(out.status.success(), "{what} was not there");
            wait::until(&format!("{what} is back"), LIMIT, || {
                watcher::says(lab.a()) == "0"
            })
            .expect("it is written again");
        });
    }
    // keepalived does not see what happens in a directory that was made anew (K18); the check
    // remains.
    run.phase("failover", LIMIT, Goal::ServesAlone(b), || {
        redis_server::kill(a)
    })
    .expect("it is played");
    run.phase("failback", LIMIT, Goal::Serves(a), || {
        redis_server::start(a)
    })
    .expect("it is played");
    let record = run.finish("removed").expect("all is read back");
    is_whole(&record);
    assert!(record.gap("failover") < BY_THE_CHECK, "{record}");
}

/// Redis answers nobody for so long, as while it runs a script.
fn busy(host: &Host, seconds: &str) {
    host.tell(format!("redis is busy for {seconds} s"));
    redis_server::call_within(host, &["DEBUG", "SLEEP", seconds], LIMIT)
        .expect("it answers afterwards");
}

#[test]
fn one_slow_answer_moves_nothing_unless_it_takes_longer_than_a_hang_and_then_there_and_back_once() {
    let lab = usual_lab().expect("a lab can be set up (root?)");
    let (a, b) = (lab.a(), lab.b());
    let mut run = pair(&lab);
    nothing_moves(&mut run, "0.2 s", |lab| busy(lab.a(), "0.2"));

    let hang = |value: &str| {
        for host in &lab.hosts {
            let edit = format!(
                r##"sed -i 's/^#*hang = "[^"]*"/hang = "{value}"/' /etc/keepalived/redis-ha.toml"##
            );
            assert!(host.sh(&edit).expect("a shell").status.success(), "{edit}");
            watcher::signal(host, Signal::SIGHUP).expect("it runs");
        }
    };
    hang("3s");
    nothing_moves(&mut run, "1 s", |lab| busy(lab.a(), "1"));

    hang("300ms");
    let before = moves(&lab);
    run.phase("0.6 s", LIMIT, Goal::Serves(a), || {
        busy(a, "0.6");
        wait::until("the VIP moves", LIMIT, || {
            lab.holders() == [b.name.as_str()]
        })
    })
    .expect("it is played");
    // FAULT and MASTER; BACKUP; MASTER and BACKUP.
    assert_eq!(moves(&lab) - before, 5, "not once there and once back");
    is_whole(&run.finish("slow answers").expect("all is read back"));
}

#[test]
fn a_minute_with_every_processor_busy_moves_nothing() {
    let soaked = soak(Suite::FAST, Duration::from_secs(60)).expect("it is played");
    println!("{soaked}");
    is_whole(&soaked.record);
    assert!(soaked.failures().is_empty(), "{soaked}");
    assert!(
        soaked.watchers.iter().all(|watcher| watcher.peak < 4096),
        "more than 4 MiB: {soaked}"
    );
    assert_eq!(soaked.watchers.len(), 2, "{soaked}");
}
