//! Three hosts in pair mode: one serves, the others follow it, and the order of `nodes` is that of
//! preference.

use std::sync::Arc;
use std::time::Duration;

use lab::host::{Cable, Host};
use lab::keepalived;
use lab::lab::{Lab, NODES};
use lab::readback::read_back;
use lab::redis_server::{self, Boot, Settings};
use lab::run::bring_up;
use lab::suite::Suite;
use lab::wait;
use lab::writer::{Rate, Writer};

const LIMIT: Duration = Duration::from_secs(40);
const STEADY: Duration = Duration::from_secs(1);
const SETTINGS: Settings = Settings {
    boot: Boot::AsReplica,
    ..Settings::DEFAULT
};

/// Three hosts, and a client that writes through the VIP.
struct Triple {
    lab: Lab,
    suite: Suite,
    writer: Writer,
}

impl Triple {
    /// The first one serves.
    fn up(suite: Suite) -> Triple {
        let lab = Lab::of(SETTINGS, &NODES, &[]).expect("a lab can be set up (root?)");
        for host in &lab.hosts {
            redis_server::add_line(host, "repl-diskless-sync-delay 0").expect("redis.conf");
        }
        bring_up(&lab, suite).expect("the three come up and the first one serves");
        let writer = lab.write(Rate::PerSecond(200));
        let triple = Triple { lab, suite, writer };
        triple.writes_on();
        triple
    }

    fn hosts(&self) -> [&Arc<Host>; 3] {
        [0, 1, 2].map(|index| &self.lab.hosts[index])
    }

    fn writes_on(&self) {
        let before = self.writer.acknowledged().0;
        wait::until("the client writes on", LIMIT, || {
            self.writer.acknowledged().0 >= before + 50
        })
        .expect("clients are served");
    }

    /// All that are on follow `server`, and clients are served.
    fn until_all_follow(&self, server: &Host) {
        let what = format!("{} serves and the others follow", server.name);
        wait::until_steady(&what, STEADY, LIMIT, || self.lab.all_follow(server))
            .expect("it comes to rest");
        self.writes_on();
    }

    fn until_serves(&self, server: &Host, replica: &Host) {
        self.lab
            .until_serves(server, replica, LIMIT)
            .expect("it comes to rest");
        self.writes_on();
    }

    fn boot(&self, host: &Arc<Host>) {
        host.power_on(Cable::Ready).expect("power");
        redis_server::start(host).expect("Redis is started");
        redis_server::until_up(host).expect("Redis comes up");
        self.suite
            .start_keepalived(host)
            .expect("keepalived is started");
    }

    /// How often a host has been in FAULT so far.
    fn faults(&self, host: &Host) -> usize {
        let in_fault = |event: &&lab::story::Event| {
            event.source == "log" && event.who == host.name && event.what.contains("Entering FAULT")
        };
        self.lab
            .story
            .events(Vec::new())
            .iter()
            .filter(in_fault)
            .count()
    }

    /// Every acknowledged write is in the service; how many are in a file alone.
    fn read_back(self) -> usize {
        let written = self.writer.stop().expect("the writer ends");
        let fate = read_back(&self.lab, &written).expect("read back");
        let (lost, kept) = (fate.lost.len(), fate.in_files.len());
        println!(
            "{} acknowledged, {kept} of them in files alone, {lost} lost",
            fate.acknowledged
        );
        assert!(
            fate.acknowledged > 200 && lost == 0,
            "{lost} of {} lost",
            fate.acknowledged
        );
        kept
    }
}

#[test]
fn the_third_node_follows_whoever_serves_at_once_and_is_never_in_fault_for_it() {
    let triple = Triple::up(Suite::OURS);
    let [a, b, c] = triple.hosts();
    let before = triple.faults(c);
    redis_server::kill(a).expect("killed");
    triple.until_serves(b, c);
    redis_server::start(a).expect("started");
    triple.until_all_follow(a);
    keepalived::stop(a).expect("stopped");
    triple.until_all_follow(b);
    triple
        .suite
        .start_keepalived(a)
        .expect("keepalived is started");
    triple.until_all_follow(a);
    assert_eq!(
        triple.faults(c),
        before,
        "the third node went through FAULT"
    );
    assert_eq!(triple.read_back(), 0, "writes had to go to a file");
}

#[test]
fn the_third_node_serves_when_both_others_are_lost_and_they_come_back_in_the_order_of_preference() {
    let triple = Triple::up(Suite::FAST);
    let [a, b, c] = triple.hosts();
    a.power_off().expect("power");
    triple.until_all_follow(b);
    b.power_off().expect("power");
    triple.until_all_follow(c);
    triple.boot(b);
    triple.until_all_follow(b);
    triple.boot(a);
    triple.until_all_follow(a);
    triple.read_back();
}

#[test]
fn a_first_node_that_was_cut_off_from_both_others_serves_again_and_nothing_is_dropped_silently() {
    let triple = Triple::up(Suite::FAST);
    let [a, b, c] = triple.hosts();
    for other in [b, c] {
        triple.lab.cut_between(a, other, true).expect("cut");
    }
    let follows = || triple.lab.seen()[2].line() == "replica of 192.168.158.12 (connected)";
    wait::until("the third follows the second", LIMIT, follows).expect("the greater part goes on");
    triple.writes_on();
    for other in [b, c] {
        triple.lab.cut_between(a, other, false).expect("joined");
    }
    triple.until_all_follow(a);
    triple.read_back();
}
