//! Two Redis servers on each host, 6379 and 6380, each with a VIP, a VRRP instance and a
//! configuration file of its own: what befalls one of them leaves the other alone.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use lab::boot::TREE;
use lab::host::Host;
use lab::lab::Lab;
use lab::readback::missing_at;
use lab::redis_client::{Connection, Reply};
use lab::redis_server::{PASSWORD, PORT};
use lab::run::{bring_up, usual_lab};
use lab::suite::Suite;
use lab::wait;
use lab::writer::{Rate, Writer};

const LIMIT: Duration = Duration::from_secs(40);
const SECOND: u16 = 6380;
const SECOND_VIP: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 158, 23));
const SECOND_WATCH: &str = "/run/keepalived-redis/redis-6380.watch";

fn sh(host: &Host, script: &str) -> String {
    let out = host.sh(script).expect("a shell");
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr)
    );
    assert!(out.status.success(), "{}: {script}: {said}", host.name);
    said
}

/// The second Redis of a host.
fn start_second(host: &Host) {
    let conf = format!(
        "port {SECOND}\nbind * -::*\nrequirepass \"{PASSWORD}\"\nmasterauth \"{PASSWORD}\"\nappendonly yes\n\
         dir /var/lib/redis-6380\nlogfile /var/log/redis-6380.log\nrepl-diskless-sync-delay 0\n"
    );
    if !host.file("/etc/redis/redis-6380.conf").exists() {
        host.write("/etc/redis/redis-6380.conf", &conf, 0o640)
            .expect("written");
    }
    sh(host, "mkdir -p /var/lib/redis-6380");
    host.tell("start the second redis");
    host.spawn("redis-server", &["/etc/redis/redis-6380.conf"])
        .expect("it starts");
    let up = || role(host, SECOND).is_some();
    wait::until("the second Redis is up", LIMIT, up).expect("it is up");
}

/// Everything that the README says of a second instance, on a pair that serves with the first.
fn add_second(lab: &Lab) {
    let example = std::fs::read_to_string(
        lab.a()
            .file(&format!("{TREE}/share/keepalived-instance.conf")),
    );
    let example = example.expect("the example is there");
    let nodes = [lab.b(), lab.a()]
        .map(|host| format!("\"{}\"", SocketAddr::new(host.address, SECOND)))
        .join(", ");
    let toml = format!(
        "nodes = [{nodes}]\nvip = \"{SECOND_VIP}\"\n[auth]\npassword_file = \
         \"/etc/keepalived/redis.pass\"\n"
    );
    for host in &lab.hosts {
        start_second(host);
        host.write("/etc/keepalived/redis-6380.toml", &toml, 0o644)
            .expect("written");
        let conf = std::fs::read_to_string(host.file("/etc/keepalived/keepalived.conf"))
            .expect("it is there");
        host.write(
            "/etc/keepalived/keepalived.conf",
            &format!("{conf}\n{example}"),
            0o644,
        )
        .expect("written");
        sh(
            host,
            "keepalived -t && kill -HUP $(cat /run/keepalived.pid)",
        );
    }
}

/// "master" or "slave", with whom it follows, where it answers.
fn role(host: &Host, port: u16) -> Option<(String, String)> {
    let net = host.net()?;
    let asked = net.within(|| {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Ok(Connection::open(address, PASSWORD, Duration::from_millis(500))?.call(&["ROLE"])?)
    });
    let mut fields = asked.ok().and_then(Reply::texts)?.into_iter();
    let role = fields.next()?;
    // Of a replica that is in sync alone.
    let whom = if role == "slave" {
        fields.next()?
    } else {
        String::new()
    };
    (role == "master" || fields.nth(1)? == "connected").then_some((role, whom))
}

fn has_second_vip(host: &Host) -> bool {
    let addresses = host.sh("ip -o addr show dev eth0").expect("a shell");
    String::from_utf8_lossy(&addresses.stdout).contains(&format!(" {SECOND_VIP}/"))
}

/// The second instance is served by `host`, and followed by the other one if that is up.
fn until_second_serves(lab: &Lab, host: &Host, other: Option<&Host>) {
    let serves = || {
        let follows = other.is_none_or(|other| {
            role(other, SECOND)
                .is_some_and(|(role, of)| role == "slave" && of == host.address.to_string())
        });
        follows
            && role(host, SECOND).is_some_and(|(role, _)| role == "master")
            && lab
                .hosts
                .iter()
                .all(|each| has_second_vip(each) == (each.name == host.name))
    };
    let steady = wait::until_steady(
        "the second instance is served",
        Duration::from_secs(1),
        LIMIT,
        serves,
    );
    steady.unwrap_or_else(|e| {
        panic!(
            "{e}: {} \n{}",
            host.name,
            lab::story::render(&lab.told(false))
        )
    });
}

/// `kill -9` of one of the two.
fn kill(host: &Arc<Host>, port: u16) {
    host.tell(format!("kill -9 redis {port}"));
    sh(
        host,
        &format!("kill -9 $(pgrep -f 'redis-server .*:{port}$')"),
    );
}

/// How often keepalived said that the VRRP instance of that name changed its state.
fn changes(lab: &Lab, instance: &str) -> usize {
    lab.told(true)
        .iter()
        .filter(|event| event.what.contains(&format!("({instance}) Entering ")))
        .count()
}

#[test]
fn what_befalls_one_instance_leaves_the_other_alone() {
    let lab = usual_lab().expect("a lab can be set up (root?)");
    let (a, b) = (lab.a(), lab.b());
    bring_up(&lab, Suite::OURS).expect("the first instance serves");
    let first = lab.write(Rate::PerSecond(200));
    let before = changes(&lab, "redis");
    add_second(&lab);
    until_second_serves(&lab, b, Some(a));
    assert_eq!(
        changes(&lab, "redis"),
        before,
        "the first instance moved when the second one came"
    );
    let at_second = SocketAddr::new(SECOND_VIP, SECOND);
    let second = Writer::start(&lab.client, at_second, Rate::PerSecond(200), &lab.story);
    let quiet = |what: &str, instance: &str, writer: &Writer, act: &dyn Fn()| {
        let (states, from) = (changes(&lab, instance), lab.story.now());
        act();
        let (gap, _) = writer.written().longest_gap(from, lab.story.now());
        assert_eq!(
            changes(&lab, instance),
            states,
            "{what}: {instance} changed its state"
        );
        assert!(
            gap < Duration::from_secs(1),
            "{what}: {gap:?} without a write to {instance}"
        );
    };

    quiet(
        "the first one dies and comes back",
        "redis_6380",
        &second,
        &|| {
            kill(a, PORT);
            let failed_over = wait::until("b serves both", LIMIT, || lab.serves(b));
            failed_over.unwrap_or_else(|e| panic!("{e}\n{}", lab::story::render(&lab.told(false))));
            lab::redis_server::start(a).expect("it starts");
            lab.until_serves(a, b, LIMIT)
                .expect("the first one is back on a");
        },
    );
    quiet(
        "the second one dies and comes back",
        "redis",
        &first,
        &|| {
            kill(b, SECOND);
            until_second_serves(&lab, a, None);
            start_second(b);
            until_second_serves(&lab, b, Some(a));
        },
    );

    let (first, second) = (
        first.stop().expect("it wrote"),
        second.stop().expect("it wrote"),
    );
    for (target, written) in [(lab.target(), first), (at_second, second)] {
        assert!(
            written.acks.len() > 500,
            "hardly anything was written to {target}"
        );
        let missing = missing_at(&lab, target, &written.acks).expect("all is read back");
        assert_eq!(missing.len(), 0, "acknowledged by {target} and lost");
    }
    for host in &lab.hosts {
        nothing_mixes(host);
    }
}

/// What was remembered, kept and told of the two.
fn nothing_mixes(host: &Host) {
    let memory = sh(
        host,
        "cd /var/lib/keepalived-redis && ls -d redis-ha redis-6380 && ls redis-ha redis-6380",
    );
    for file in ["turn", "check.verdict"] {
        assert_eq!(
            memory.lines().filter(|line| line.starts_with(file)).count() % 2,
            0,
            "{file}: {memory}"
        );
        assert!(memory.contains(file), "{file}: {memory}");
    }
    let remembered = sh(
        host,
        "cd /var/lib/keepalived-redis && grep -l :6380 redis-ha/* || true; grep -l :6379 \
         redis-6380/* || true",
    );
    assert_eq!(remembered, "", "one remembers the other's");
    let told = sh(host, "cat /var/log/keepalived-redis/*.log");
    for line in told.lines() {
        let of_second = line.ends_with(" instance=redis-6380");
        assert!(!(of_second && line.contains(":6379")), "{line}");
        assert!(of_second || !line.contains(":6380"), "{line}");
    }
    assert!(
        told.contains("[Master]") && told.contains(" instance=redis-6380"),
        "{told}"
    );
}

#[test]
fn the_watcher_of_a_second_instance_looks_at_that_one() {
    let lab = usual_lab().expect("a lab can be set up (root?)");
    let a = lab.a();
    bring_up(&lab, Suite::FAST).expect("the first instance serves");
    add_second(&lab);
    // The marks of what was appended are those of the rest: all of it is in the fast profile, after
    // this.
    let switched = "sh /mnt/install.sh --bin-dir /tmp/bin --profile fast && cd /etc/keepalived && \
                    { [ ! -e keepalived.conf.new ] || mv keepalived.conf.new keepalived.conf; } \
                    && keepalived -t && \
                    kill -HUP $(cat /run/keepalived.pid) && cat keepalived.conf";
    let conf = sh(a, switched);
    let counts = |line: &str| {
        conf.lines()
            .any(|found| found.split_once('#').map_or(found, |(l, _)| l).trim() == line)
    };
    assert!(
        counts("vrrp_track_file redis_watch_6380 {") && counts("advert_int 0.1"),
        "{conf}"
    );
    assert!(!counts("advert_int 1"), "{conf}");
    let unit =
        std::fs::read_to_string(a.file(&format!("{TREE}/share/keepalived-redis-watch@.service")));
    let unit = unit.expect("the unit is there").replace("%i", "redis-6380");
    let command = unit
        .lines()
        .find_map(|line| line.strip_prefix("ExecStart="))
        .expect("a command");
    a.spawn("sh", &["-c", &format!("exec {command}")])
        .expect("it starts");
    let says = |file: &str, what: &str| {
        let file = file.to_owned();
        let said = || {
            std::fs::read_to_string(a.file(&file))
                .unwrap_or_default()
                .trim()
                .to_owned()
        };
        wait::until(&format!("{file} says {what}"), LIMIT, || said() == what).expect("it is said");
    };
    says(SECOND_WATCH, "0");
    says(lab::watcher::FILE, "0");
    kill(a, SECOND);
    says(SECOND_WATCH, "1");
    says(lab::watcher::FILE, "0");
    let told = sh(
        a,
        "grep Watch /var/log/keepalived-redis/check-redis-status.log",
    );
    assert!(
        told.lines()
            .any(|line| line.contains(":6380") && line.ends_with("instance=redis-6380")),
        "{told}"
    );
}
