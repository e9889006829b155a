//! Three hosts in pair mode: one serves, the others follow it, and the order of `nodes` is that of preference.

use std::sync::Arc;
use std::time::Duration;

use lab::host::Host;
use lab::keepalived;
use lab::lab::{Lab, NODES};
use lab::readback::read_back;
use lab::redis_server::{self, Boot, Settings};
use lab::run::bring_up;
use lab::suite::Suite;
use lab::wait;
use lab::writer::{Rate, Writer};

const LIMIT: Duration = Duration::from_secs(40);
const SETTINGS: Settings = Settings { boot: Boot::AsReplica, persistence: redis_server::Persistence::Aof };

struct Triple {
    lab: Lab,
    suite: Suite,
}

impl Triple {
    /// All of them up, and the first one serves.
    fn up(suite: Suite) -> (Triple, Writer) {
        let lab = Lab::of(SETTINGS, &NODES, &[]).expect("a lab can be set up (root?)");
        bring_up(&lab, suite).expect("the three come up and the first one serves");
        let writer = lab.write(Rate::PerSecond(200));
        let triple = Triple { lab, suite };
        triple.until_written(&writer, 100);
        (triple, writer)
    }

    fn host(&self, index: usize) -> &Arc<Host> {
        &self.lab.hosts[index]
    }

    fn until_written(&self, writer: &Writer, more: usize) {
        let before = writer.acknowledged().0;
        wait::until("the client writes on", LIMIT, || writer.acknowledged().0 >= before + more)
            .expect("clients are served");
    }

    /// `server` has served for a second, and all others that are on and have a Redis follow it.
    fn until_all_follow(&self, server: &Host) {
        let what = format!("{} serves and the others follow", server.name);
        wait::until_steady(&what, Duration::from_secs(1), LIMIT, || self.lab.all_follow(server))
            .expect("it comes to rest");
    }

    /// The same, but for hosts whose Redis is dead.
    fn until_serves_followed_by(&self, server: &Host, replica: &Host) {
        self.lab.until_serves(server, replica, LIMIT).expect("it comes to rest");
    }

    fn whole(self, writer: Writer) {
        let written = writer.stop().expect("the writer ends");
        let fate = read_back(&self.lab, &written).expect("read back");
        println!("{} acknowledged, {} in files; longest gap {:?}", fate.acknowledged, fate.in_files.len(), written.longest_gap(Duration::ZERO, self.lab.story.now()));
        println!("{}", lab::story::render(&self.lab.told(false)));
        assert!(fate.lost.is_empty(), "{} of {} lost", fate.lost.len(), fate.acknowledged);
    }
}

#[test]
fn the_third_follows_whoever_serves_and_each_node_comes_back_in_its_place() {
    let (triple, writer) = Triple::up(Suite::OURS);
    let [a, b, c] = [0, 1, 2].map(|index| triple.host(index));
    redis_server::kill(a).expect("killed");
    triple.until_serves_followed_by(b, c);
    triple.until_written(&writer, 100);
    redis_server::start(a).expect("started");
    triple.until_all_follow(a);
    triple.until_written(&writer, 100);
    a.power_off().expect("off");
    triple.until_serves_followed_by(b, c);
    b.power_off().expect("off");
    wait::until_steady("c serves alone", Duration::from_secs(1), LIMIT, || triple.lab.serves(c)).expect("the last one serves");
    triple.until_written(&writer, 100);
    for host in [b, a] {
        host.power_on(lab::host::Cable::Ready).expect("on");
        redis_server::start(host).expect("started");
        redis_server::until_up(host).expect("up");
        triple.suite.start_keepalived(host).expect("keepalived");
        triple.until_all_follow(host);
    }
    triple.until_written(&writer, 100);
    keepalived::stop(a).expect("stopped");
    triple.until_all_follow(b);
    triple.whole(writer);
}
