//! `keepalived-redis doctor` on machines that run: what is well is called well, and what is broken
//! by hand is found, and mended by doing literally what it says.

use std::time::{Duration, Instant};

use lab::boot::TREE;
use lab::cluster::{Cluster, Profile, Setup, Shape};
use lab::host::Host;
use lab::lab::Lab;
use lab::redis_server::{self, PASSWORD, Settings};
use lab::run::bring_up;
use lab::sentinel::server::{self, Terms};
use lab::suite::{self, Suite};
use lab::{keepalived, wait};
use serde_json::Value;

const PROGRAM: &str = "/tmp/bin/keepalived-redis";
const CONF: &str = "/etc/keepalived/keepalived.conf";
const TOML: &str = "/etc/keepalived/redis-ha.toml";
const LIMIT: Duration = Duration::from_secs(40);
/// With one node dead it waits for connections; it never waits for long.
const PATIENCE: Duration = Duration::from_secs(15);

/// What it said of one thing.
#[derive(Debug)]
struct Line {
    check: String,
    level: String,
    says: String,
    fix: Vec<Value>,
}

impl Line {
    fn is_bad(&self) -> bool {
        matches!(self.level.as_str(), "warn" | "fail")
    }
}

/// Its exit code, and all lines.
fn examine(host: &Host) -> (i32, Vec<Line>) {
    let began = Instant::now();
    let out = host
        .sh(&format!("{PROGRAM} doctor --json"))
        .expect("a shell");
    assert!(began.elapsed() < PATIENCE, "it took {:?}", began.elapsed());
    let text = String::from_utf8_lossy(&out.stdout);
    let found: Value = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{error}: {text}{}", String::from_utf8_lossy(&out.stderr)));
    let text = |line: &Value, key: &str| line[key].as_str().unwrap_or_default().to_owned();
    let line = |line: &Value| Line {
        check: text(line, "check"),
        level: text(line, "level"),
        says: text(line, "says"),
        fix: line["fix"].as_array().cloned().unwrap_or_default(),
    };
    let lines = found["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .map(line)
        .collect();
    assert!(
        !text(&found, "").contains(PASSWORD) && !found.to_string().contains(PASSWORD),
        "the password is shown"
    );
    (out.status.code().unwrap_or(-1), lines)
}

fn bad(lines: &[Line]) -> Vec<&Line> {
    lines.iter().filter(|line| line.is_bad()).collect()
}

fn sh(host: &Host, script: &str) {
    let out = host.sh(script).expect("a shell");
    let said = [out.stdout, out.stderr].concat();
    assert!(
        out.status.success(),
        "{script}: {}",
        String::from_utf8_lossy(&said)
    );
}

/// Does what the bad lines say, as far as they say it in a command or a line of a file; those that
/// say it in words are done by `by_hand`.
fn follow(host: &Host, lines: &[Line], by_hand: &dyn Fn(&Line)) {
    let fixes = || {
        bad(lines)
            .into_iter()
            .filter_map(|line| Some((line, line.fix.first()?)))
    };
    let mut edits: Vec<(&Value, u64)> = Vec::new();
    for (line, fix) in fixes() {
        if let Some(command) = fix["run"].as_str() {
            let quoted = format!("'{}'", PASSWORD.replace('\'', "'\\''"));
            // The programs are built already.
            let install = format!("sh {TREE}/install.sh --bin-dir /tmp/bin");
            sh(
                host,
                &command
                    .replace("ADMIN-PASSWORD", &quoted)
                    .replace("./install.sh", &install),
            );
        } else if fix["do"].is_string() {
            by_hand(line);
        } else {
            let edit = fix
                .as_object()
                .and_then(|fix| fix.values().next())
                .expect("an edit");
            edits.push((fix, edit["number"].as_u64().expect("a line number")));
        }
    }
    // From the bottom up: the numbers are those of the file as it was.
    edits.sort_by_key(|(fix, number)| std::cmp::Reverse((*number, fix["insert"].is_object())));
    for (fix, number) in edits {
        let (kind, edit) = fix
            .as_object()
            .and_then(|fix| fix.iter().next())
            .expect("an edit");
        let file = edit["file"].as_str().expect("a file");
        let text = std::fs::read_to_string(host.file(file)).expect("the file");
        let mut lines: Vec<&str> = text.lines().collect();
        let (number, line) = (
            usize::try_from(number).expect("a line number"),
            edit["line"].as_str().unwrap_or_default(),
        );
        match kind.as_str() {
            "replace" => lines[number - 1] = line,
            "insert" => lines.insert(number, line),
            _ => drop(lines.remove(number - 1)),
        }
        host.write(file, &(lines.join("\n") + "\n"), 0o644)
            .expect("the file");
    }
}

/// All of `ailments` (a check, its level) are found, and after what is said about them was done
/// nothing is.
fn is_cured(host: &Host, ailments: &[(&str, &str)], by_hand: &dyn Fn(&Line)) {
    let (code, lines) = examine(host);
    for (check, level) in ailments {
        assert!(
            lines
                .iter()
                .any(|line| line.check == *check && line.level == *level),
            "{check} is no {level} in {:#?}",
            bad(&lines)
        );
    }
    assert_eq!(
        code,
        i32::from(ailments.iter().any(|(_, level)| *level == "fail"))
    );
    follow(host, &lines, by_hand);
    let (code, lines) = examine(host);
    assert!(
        bad(&lines).is_empty() && code == 0,
        "{code}: {:#?}",
        bad(&lines)
    );
}

fn by_nobody(line: &Line) {
    panic!("no command and no line to write: {line:#?}");
}

/// As the README has it.
fn installed() -> Lab {
    let lab = Lab::new(Settings::default()).expect("a lab can be set up (root?)");
    for host in &lab.hosts {
        for line in ["repl-diskless-sync-delay 0", "repl-backlog-size 64mb"] {
            redis_server::add_line(host, line).expect("redis.conf");
        }
    }
    bring_up(&lab, Suite::OURS).expect("the pair comes up and serves");
    let program = suite::programs()
        .expect("the programs are built")
        .join("keepalived-redis");
    let unit = "[Service]\nExecStart=/usr/bin/redis-server /etc/redis/redis.conf --daemonize no\n";
    for host in &lab.hosts {
        std::fs::copy(&program, host.file(PROGRAM)).expect("the program");
        host.write("/etc/systemd/system/redis-server.service", unit, 0o644)
            .expect("a unit, as a package brings it");
        sh(
            host,
            &format!("sh {TREE}/install.sh --bin-dir /tmp/bin --boot-as-replica"),
        );
    }
    lab
}

#[test]
fn what_install_sh_has_set_up_is_well_and_what_is_broken_is_found_and_mended_by_its_own_advice() {
    let lab = installed();
    let (a, b) = (lab.a(), lab.b());
    for host in &lab.hosts {
        let (code, lines) = examine(host);
        assert!(
            bad(&lines).is_empty() && code == 0,
            "{} {code}: {:#?}",
            host.name,
            bad(&lines)
        );
    }
    keepalived_conf(a);
    redis_and_machine(a);
    a_user_with_too_few_rights(&lab);
    one_is_dead(a, b);
    a_broken_file_and_a_user_without_rights(a);
    nothing_is_changed(b);
}

/// Ten slips in one file.
fn keepalived_conf(host: &Host) {
    let slips = [
        "s/^    state BACKUP/    state BAKCUP/",
        "s/^#    nopreempt .*/    nopreempt/; s/^    #nopreempt .*/    nopreempt/",
        "s/^        192.168.158.13.*/        192.168.158.99\\/24/",
        "/^    notify_master_rx_lower_pri/d",
        "s/^    notify_stop .*/    notify_stop \"\\/usr\\/libexec\\/keepalived\\/redis_fault\"/",
        "/^@redis-a    192.168.158.12/d",
        "/^    enable_script_security/d",
        "/^    vrrp_check_unicast_src/d",
        "s/^    init_fail .*//",
        "s/^@redis-b $PRIORITY=253/@redis-b $PRIORITY=100/",
    ];
    for slip in slips {
        sh(
            host,
            &format!(
                "cp {CONF} /tmp/before && sed -i '{slip}' {CONF} && ! cmp -s {CONF} /tmp/before"
            ),
        );
    }
    let ailments = [
        ("keepalived-test", "fail"),
        ("state", "fail"),
        ("nopreempt", "fail"),
        ("vip", "fail"),
        ("notify", "fail"),
        ("unicast", "fail"),
        ("script-security", "warn"),
        ("check-unicast-source", "warn"),
        ("eligible", "warn"),
        ("weight", "fail"),
    ];
    // What keepalived itself says is said in its own words.
    let own = |line: &Line| {
        assert!(
            line.check == "keepalived-test" && line.says.contains("BAKCUP"),
            "{line:#?}"
        )
    };
    is_cured(host, &ailments, &own);
}

fn redis_and_machine(a: &Host) {
    let set = |name: &str, value: &str| {
        let reply = redis_server::call(a, &["CONFIG", "SET", name, value]).expect("Redis answers");
        assert_eq!(reply.text(), "OK", "{name}");
    };
    for (name, value) in [
        ("masterauth", "wrong"),
        ("min-replicas-to-write", "1"),
        ("replica-read-only", "no"),
        ("repl-backlog-size", "16384"),
        ("repl-diskless-sync-delay", "5"),
        ("appendonly", "no"),
        ("bind", "127.0.0.1 192.168.158.11"),
    ] {
        set(name, value);
    }
    sh(
        a,
        "mv /usr/libexec/keepalived/redis_backup /tmp/moved && chmod o+w \
         /usr/libexec/keepalived/check_redis && \
         chmod 644 /etc/keepalived/redis.pass && chmod 755 /var/lib/keepalived-redis/rollback && \
         rm /etc/systemd/system/redis-server.service.d/zz-boot-as-replica.conf",
    );
    let ailments = [
        ("masterauth", "fail"),
        ("min-replicas", "warn"),
        ("replica-read-only", "fail"),
        ("backlog", "warn"),
        ("diskless-delay", "warn"),
        ("persistence", "warn"),
        ("bind", "fail"),
        ("program", "fail"),
        ("program-safe", "fail"),
        ("configuration", "fail"),
        ("directory", "warn"),
        ("boots-as-replica", "warn"),
    ];
    let by_hand = |line: &Line| match line.check.as_str() {
        // It objects to the program that anybody can change.
        "keepalived-test" => {}
        "program" => sh(a, "mv /tmp/moved /usr/libexec/keepalived/redis_backup"),
        _ => by_nobody(line),
    };
    is_cured(a, &ailments, &by_hand);
    // No room, and a redis.conf that can't be written: neither has a command that helps everywhere.
    sh(
        a,
        "mount -t tmpfs -o size=64k,mode=700 none /var/lib/keepalived-redis/rollback && \
           mount --bind /etc/redis /etc/redis && mount -o remount,bind,ro /etc/redis",
    );
    let by_hand = |line: &Line| match line.check.as_str() {
        "rollback-room" => sh(a, "umount /var/lib/keepalived-redis/rollback"),
        "config-rewrite" => sh(a, "umount /etc/redis"),
        _ => by_nobody(line),
    };
    is_cured(
        a,
        &[("rollback-room", "fail"), ("config-rewrite", "fail")],
        &by_hand,
    );
}

fn a_user_with_too_few_rights(lab: &Lab) {
    let a = lab.a();
    for host in &lab.hosts {
        let secret = format!(">{PASSWORD}");
        let user = [
            "ACL",
            "SETUSER",
            "ha",
            "on",
            &secret,
            "~*",
            "&*",
            "+@all",
            "-slaveof",
            "-config|rewrite",
        ];
        assert_eq!(
            redis_server::call(host, &user)
                .expect("Redis answers")
                .text(),
            "OK"
        );
        sh(
            host,
            &format!("sed -i 's/^#username = .*/username = \"ha\"/' {TOML}"),
        );
    }
    is_cured(a, &[("rights", "fail"), ("rights", "warn")], &by_nobody);
    for host in &lab.hosts {
        sh(
            host,
            &format!("sed -i 's/^username = .*/#username = \"ha\"/' {TOML}"),
        );
    }
}

fn one_is_dead(a: &Host, b: &Host) {
    redis_server::hang(b);
    let (code, lines) = examine(a);
    redis_server::wake(b);
    let hung =
        |line: &Line| line.level == "fail" && line.says == "192.168.158.12:6379: no answer in time";
    assert!(code == 1 && lines.iter().any(hung), "{:#?}", bad(&lines));
    redis_server::kill(b).expect("it dies");
    for (host, others) in [(a, false), (b, true)] {
        let (code, lines) = examine(host);
        let of_b =
            |line: &&Line| line.check == "redis-answers" && line.says.starts_with("192.168.158.12");
        let line = lines.iter().find(of_b).expect("a line for the dead one");
        assert_eq!((code, line.level.as_str()), (1, "fail"), "{line:#?}");
        assert_eq!(
            lines
                .iter()
                .any(|line| line.check == "check-redis" && line.level == "fail"),
            others
        );
    }
    redis_server::start(b).expect("it starts");
    redis_server::until_up(b).expect("it is up");
}

fn a_broken_file_and_a_user_without_rights(a: &Host) {
    sh(
        a,
        &format!("cp -p {TOML} /tmp/toml && echo 'nodes = [' >> {TOML}"),
    );
    let (code, lines) = examine(a);
    let line = lines
        .iter()
        .find(|line| line.check == "configuration")
        .expect("a line for the file");
    assert!(
        code == 1 && line.level == "fail" && line.says.contains(TOML),
        "{code} {line:#?}"
    );
    assert!(
        lines
            .iter()
            .any(|line| line.check == "redis-answers" && line.level == "ok"),
        "it goes on with the last good one"
    );
    sh(a, &format!("cp -p /tmp/toml {TOML}"));
    let out = a
        .sh(&format!(
            "chmod 755 /tmp/bin; setpriv --reuid=65534 --regid=65534 --clear-groups \
            {PROGRAM} doctor"
        ))
        .expect("a shell");
    let said = String::from_utf8_lossy(&out.stdout);
    assert!(
        out.status.code() == Some(3) && said.contains("run this as root"),
        "{:?}: {said}",
        out.status
    );
    assert!(
        said.contains("state BACKUP"),
        "what anybody may read is looked at: {said}"
    );
}

/// Nobody else writes there once keepalived has ended.
fn nothing_is_changed(b: &Host) {
    keepalived::stop(b).expect("keepalived stops");
    wait::until("no program is at work", LIMIT, || !Suite::OURS.is_busy(b)).expect("they end");
    let state = || {
        let files = "find /etc /var/lib/keepalived-redis /var/log/keepalived-redis /run /tmp \
            -type f -o -type d | sort | \
                     xargs ls -ld --time-style=full-iso | grep -v ' /tmp$\\| /run/lab'";
        let files = b.sh(files).expect("a shell").stdout;
        (
            String::from_utf8_lossy(&files).into_owned(),
            redis_server::call(b, &["CONFIG", "GET", "*"])
                .expect("Redis answers")
                .text(),
        )
    };
    let before = state();
    examine(b);
    let after = state();
    let changed: Vec<&str> = after
        .0
        .lines()
        .filter(|line| !before.0.contains(line))
        .collect();
    assert!(changed.is_empty(), "{changed:#?}");
    assert_eq!(before, after);
}

#[test]
fn beside_sentinel_in_the_fast_profile_what_is_set_up_is_well_and_what_is_broken_is_mended() {
    let terms = Terms {
        down_after: Duration::from_secs(5),
        password: Some("sentinels"),
        ..Terms::default()
    };
    let setup = Setup {
        shape: Shape::Witness,
        profile: Profile::Fast,
        terms,
        ..Setup::default()
    };
    let cluster = Cluster::boot(setup).expect("the cluster comes up and serves");
    let program = suite::programs()
        .expect("the programs are built")
        .join("keepalived-redis");
    for host in &cluster.lab.hosts {
        for (name, value) in [
            ("repl-diskless-sync-delay", "0"),
            ("repl-backlog-size", "64mb"),
        ] {
            redis_server::call(host, &["CONFIG", "SET", name, value]).expect("Redis answers");
        }
        std::fs::copy(&program, host.file(PROGRAM)).expect("the program");
    }
    for host in &cluster.lab.hosts {
        let (code, lines) = examine(host);
        assert!(
            bad(&lines).is_empty() && code == 0,
            "{} {code}: {:#?}",
            host.name,
            bad(&lines)
        );
    }
    let (a, b) = (cluster.lab.a(), cluster.lab.b());
    let at = |words: &[&str]| {
        server::call(&cluster.lab.client, b.address, Some("sentinels"), words).expect("it answers")
    };
    at(&["SET", "mymaster", "down-after-milliseconds", "1500"]);
    redis_server::call(b, &["CONFIG", "SET", "replica-priority", "0"]).expect("Redis answers");
    for slip in [
        "s/^    weight -1 .*/    weight 0/",
        "s/^    vrrp_rt_priority .*//",
    ] {
        sh(a, &format!("sed -i '{slip}' {CONF}"));
    }
    let ailments = [
        ("down-after", "fail"),
        ("replica-priority", "fail"),
        ("track-file", "fail"),
        ("real-time", "warn"),
    ];
    is_cured(a, &ailments, &by_nobody);
    server::kill(&cluster.lab.others[0]).expect("a sentinel dies");
    let (code, lines) = examine(a);
    assert!(
        code == 1
            && lines
                .iter()
                .any(|line| line.check == "sentinel-answers" && line.level == "fail"),
        "{lines:#?}"
    );
}
