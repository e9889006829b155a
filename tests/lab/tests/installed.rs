//! What install.sh promises to whoever runs it.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use lab::boot::TREE;
use lab::host::Host;
use lab::lab::Lab;
use lab::run::{Goal, Run, usual_lab};
use lab::suite::Suite;
use lab::trial::{is_accounted_for, is_whole};
use lab::writer::Rate;
use lab::{keepalived, redis_server, wait};

const LIMIT: Duration = Duration::from_secs(40);

#[test]
fn installing_again_on_a_serving_pair_breaks_nothing() {
    let lab = usual_lab().expect("a lab can be set up (root?)");
    let mut run =
        Run::start(&lab, Suite::OURS, Rate::PerSecond(200)).expect("the pair comes up and serves");
    run.until_written(500).expect("the client writes");
    let states = || {
        lab.told(true)
            .iter()
            .filter(|event| event.what.contains("Entering "))
            .count()
    };
    let before = states();
    assert!(before > 0, "keepalived's log is not read");
    run.phase(
        "again",
        Duration::from_secs(40),
        Goal::Serves(lab.a()),
        || Suite::OURS.install(&lab),
    )
    .expect("install.sh runs again");
    let record = run.finish("install again").expect("all is read back");
    is_whole(&record);
    assert_eq!(states(), before, "a VRRP state has changed: {record}");
}

#[test]
fn with_stop_keepalived_a_failed_node_stays_out_until_a_person_brings_it_back() {
    let lab = usual_lab().expect("a lab can be set up (root?)");
    let (a, b) = (lab.a(), lab.b());
    let mut run =
        Run::start(&lab, Suite::OURS, Rate::PerSecond(200)).expect("the pair comes up and serves");
    let edit = "sed -i 's|check_redis\"|check_redis --stop-keepalived\"|' /etc/keepalived/keepalived.conf &&
        grep -q stop-keepalived /etc/keepalived/keepalived.conf && keepalived -t && kill -HUP $(cat /run/keepalived.pid)";
    let edited = a.sh(edit).expect("a shell");
    assert!(
        edited.status.success(),
        "{}",
        String::from_utf8_lossy(&edited.stderr)
    );
    run.phase("failover", LIMIT, Goal::ServesAlone(b), || {
        redis_server::kill(a)
    })
    .expect("it is played");
    wait::until("keepalived is stopped where Redis died", LIMIT, || {
        !keepalived::runs(a)
    })
    .expect("it stops");
    redis_server::start(a).expect("Redis starts");
    redis_server::until_up(a).expect("Redis is up");
    run.until_written(1000).expect("the client writes on");
    assert!(!keepalived::runs(a), "nobody but a person starts it again");
    assert_eq!(lab.holders(), ["redis-b"]);
    run.phase("back", LIMIT, Goal::Serves(a), || {
        Suite::OURS.start_keepalived(a)
    })
    .expect("it is played");
    is_whole(&run.finish("stop-keepalived").expect("all is read back"));
}

/// Starts Redis with the command that the drop-in says, as systemd would.
fn start_as_installed(host: &Host) -> Result<()> {
    let drop_in = host.file("/etc/systemd/system/redis-server.service.d/zz-boot-as-replica.conf");
    let text = std::fs::read_to_string(drop_in)?;
    let command = text
        .lines()
        .filter_map(|line| line.strip_prefix("ExecStart="))
        .next_back();
    let words: Vec<&str> = command.unwrap_or_default().split_whitespace().collect();
    let [program, arguments @ ..] = &words[..] else {
        bail!("no command in the drop-in: {text}")
    };
    host.tell(format!("start redis: {}", words.join(" ")));
    host.spawn(program, arguments)
}

/// Lets both Redis servers boot as install.sh has them boot, from their next start on.
fn install_boot_as_replica(lab: &Lab) {
    let unit = "[Service]\nExecStart=/usr/bin/redis-server /etc/redis/redis.conf --daemonize no\n";
    for host in &lab.hosts {
        host.write("/etc/systemd/system/redis-server.service", unit, 0o644)
            .expect("a unit, as a package brings it");
        let install = format!("sh {TREE}/install.sh --bin-dir /tmp/bin --boot-as-replica 2>&1");
        let out = host.sh(&install).expect("a shell");
        let said = String::from_utf8_lossy(&out.stdout);
        assert!(
            out.status.success()
                && said.contains("from its next start Redis is a replica of nobody"),
            "{said}"
        );
    }
}

#[test]
fn a_serving_redis_that_starts_again_with_nothing_wipes_nobody() {
    let lab = usual_lab().expect("a lab can be set up (root?)");
    let a = lab.a();
    let mut run =
        Run::start(&lab, Suite::OURS, Rate::PerSecond(200)).expect("the pair comes up and serves");
    install_boot_as_replica(&lab);
    run.until_written(500).expect("the client writes");
    // Twice: the second time CONFIG REWRITE has been at redis.conf in between.
    for phase in ["with nothing", "with nothing again"] {
        let restart = || {
            redis_server::kill(a)?;
            redis_server::wipe(a)?;
            start_as_installed(a)
        };
        run.phase(phase, LIMIT, Goal::Serves(a), restart)
            .expect("it is played");
    }
    is_whole(&run.finish("boot as replica").expect("all is read back"));
}

#[test]
fn what_only_a_restarted_redis_has_is_kept_before_it_follows() {
    let lab = usual_lab().expect("a lab can be set up (root?)");
    let (a, b) = (lab.a(), lab.b());
    let mut run =
        Run::start(&lab, Suite::OURS, Rate::PerSecond(200)).expect("the pair comes up and serves");
    install_boot_as_replica(&lab);
    run.until_written(500).expect("the client writes");
    let act = || {
        lab.partition(true)?;
        wait::until("both are masters", LIMIT, || lab.masters().len() == 2)?;
        // Acknowledged, on the disk, and nowhere else when the other node can be seen again.
        for host in [a, b] {
            let key = format!("only-on-{}", host.name);
            ensure!(
                redis_server::call(host, &["SET", &key, "1"])?.text() == "OK",
                "SET on {}",
                host.name
            );
        }
        ensure!(
            redis_server::call(a, &["CONFIG", "SET", "appendfsync", "always"])?.text() == "OK",
            "appendfsync"
        );
        redis_server::call(a, &["SET", "only-on-redis-a", "2"])?;
        redis_server::kill(a)?;
        lab.partition(false)?;
        start_as_installed(a)
    };
    run.phase("apart, and back", 2 * LIMIT, Goal::Serves(a), act)
        .expect("it is played");
    for key in ["only-on-redis-a", "only-on-redis-b"] {
        let in_data = lab
            .ask(None, &["EXISTS", key])
            .is_ok_and(|reply| reply.text() == "1");
        // A key stands in an RDB as it is.
        let grep = format!("grep -l {key} /var/lib/keepalived-redis/rollback/*.rdb");
        let in_file = [a, b]
            .iter()
            .any(|host| host.sh(&grep).is_ok_and(|out| out.status.success()));
        assert!(in_data || in_file, "{key} is lost");
    }
    is_accounted_for(
        &run.finish("kept after a restart")
            .expect("all is read back"),
    );
}
