//! For the tables of the tests: what is advised is done, literally, and looked at again.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::console::doctor::finding::tests::level;
use crate::console::doctor::finding::{Fact, Finding, Findings, Fix, Level, Subject};
use crate::console::doctor::judge::Expected;
use crate::console::doctor::judge::keepalived::{instance, notify, programs, tracking};
use crate::console::doctor::look::command::Said;
use crate::console::doctor::look::keepalived::Keepalived;
use crate::console::doctor::look::modes::{Mode, ProgramFile};
use crate::keepalived_conf::vrrp::Vrrp;
use crate::keepalived_conf::{Conf, Reader};
use crate::server::info::Version;

/// Root's, and nobody else may write to it.
pub(crate) const GOOD: Mode = Mode {
    uid: 0,
    gid: 0,
    bits: 0o755,
    is_file: true,
};

/// keepalived.conf with the advice followed, if it is one for a file.
pub(crate) fn follow(text: &str, fix: &Fix) -> Option<String> {
    let mut lines: Vec<&str> = text.lines().collect();
    match fix {
        Fix::Replace { number, line, .. } => *lines.get_mut(number - 1)? = line,
        Fix::Insert { number, line, .. } => lines.insert(*number, line),
        Fix::Remove { number, .. } => drop(lines.remove(number - 1)),
        Fix::Run(_) | Fix::Do(_) => return None,
    }
    Some(lines.join("\n") + "\n")
}

/// What install.sh would make of the example, for `variant` and `profile`.
pub(crate) fn example(words: &[&str]) -> String {
    let all = ["pair", "failback", "sticky", "sentinel", "plain", "fast"];
    let text = include_str!("../../../../../keepalived.conf.example");
    let line = |line: &str| {
        let Some((_, mark)) = line
            .rsplit_once("# ")
            .filter(|(_, mark)| mark.ends_with(" only"))
        else {
            return line.to_owned();
        };
        let marks: Vec<&str> = mark.trim_end_matches(" only").split(' ').collect();
        if !marks.iter().all(|mark| all.contains(mark)) {
            return line.to_owned();
        }
        let bare = if line.trim_start().starts_with('#') {
            line.replacen('#', "", 1)
        } else {
            line.to_owned()
        };
        if marks.iter().all(|mark| words.contains(mark)) {
            bare
        } else {
            format!("#{bare}")
        }
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n") + "\n"
}

/// keepalived as it would be seen with this text.
pub(crate) fn seen(text: &str) -> Keepalived {
    let path = Path::new("/etc/keepalived/keepalived.conf");
    let read = |_: &Path| Ok(text.to_owned());
    let glob = |_: &Path| Vec::new();
    let reader = Reader {
        read: &read,
        glob: &glob,
    };
    let conf = |host| Conf::read(path, host, &reader).expect("it is read");
    let here = Vrrp::read(&conf("redis-a"));
    let program = |name: &str| ProgramFile {
        path: Path::new("/usr/libexec/keepalived").join(name),
        found: Ok(GOOD),
        open: Vec::new(),
        interpreter: None,
    };
    Keepalived {
        path: path.to_owned(),
        host: "redis-a".to_owned(),
        conf: Ok(conf("redis-a")),
        watched: here
            .files
            .iter()
            .map(|file| (file.file.clone(), (true, true)))
            .collect(),
        here,
        elsewhere: vec![("redis-b".to_owned(), Vrrp::read(&conf("redis-b")))],
        version: Some(Version(2, 2, 7)),
        tested: Ok(Said {
            code: Some(0),
            text: String::new(),
        }),
        programs: [
            "check_redis",
            "redis_master",
            "redis_backup",
            "redis_fault",
            "redis_stop",
        ]
        .map(program)
        .to_vec(),
        versions: std::collections::BTreeMap::new(),
        has_script_user: false,
        runs: true,
    }
}

/// What the example's redis-ha.toml says.
pub(crate) fn expected(sentinel: bool) -> Expected {
    let node = |text: &str| text.parse().expect("an address");
    Expected {
        path: PathBuf::from(crate::config::DEFAULT_PATH),
        vip: Some("192.168.158.13".parse().expect("an address")),
        nodes: vec![node("192.168.158.11:6379"), node("192.168.158.12:6379")],
        local: Some(node("192.168.158.11:6379")),
        sentinel,
        check: Duration::from_millis(400),
    }
}

/// All that is said of keepalived.
pub(crate) fn judged(keepalived: &Keepalived, expected: &Expected) -> Vec<Finding> {
    let mut found = Findings::of(Subject::Keepalived);
    let own = ["192.168.158.11".parse().expect("an address")];
    instance::judge(&mut found, keepalived, expected, &own);
    tracking::judge(&mut found, keepalived, expected);
    notify::judge(&mut found, keepalived, expected);
    programs::judge(&mut found, keepalived, expected);
    found.list
}

#[test]
fn what_install_sh_writes_gets_a_clean_bill() {
    for variant in [
        &["pair", "failback"][..],
        &["pair", "sticky"],
        &["sentinel"],
    ] {
        for profile in ["plain", "fast"] {
            let text = example(&[variant, &[profile]].concat());
            let found = judged(&seen(&text), &expected(variant.contains(&"sentinel")));
            let bad: Vec<&Finding> = found
                .iter()
                .filter(|line| line.level != Level::Ok)
                .collect();
            assert!(bad.is_empty(), "{variant:?} {profile}: {bad:#?}");
        }
    }
}

/// One edit of the example, the check that finds it, how bad it is.
type Edit = (
    &'static [&'static str],
    &'static str,
    &'static str,
    &'static str,
    Level,
);

const FAILBACK: &[&str] = &["pair", "failback", "plain"];
const STICKY: &[&str] = &["pair", "sticky", "plain"];
const FAST: &[&str] = &["pair", "failback", "fast"];
const SENTINEL: &[&str] = &["sentinel", "fast"];

const EDITS: &[Edit] = &[
    (
        FAILBACK,
        "    state BACKUP\n",
        "    state BAKCUP\n",
        "state",
        Level::Fail,
    ),
    (
        STICKY,
        "    state BACKUP\n",
        "    state MASTER\n",
        "state",
        Level::Fail,
    ),
    (
        FAILBACK,
        "#    nopreempt ",
        "    nopreempt ",
        "nopreempt",
        Level::Fail,
    ),
    (
        FAILBACK,
        "    weight -10 ",
        "    weight -1 ",
        "weight",
        Level::Fail,
    ),
    (
        FAILBACK,
        "    weight -10 ",
        "    weight 0 ",
        "eligible",
        Level::Fail,
    ),
    (
        FAILBACK,
        "    init_fail ",
        "    #init_fail ",
        "eligible",
        Level::Warn,
    ),
    (
        FAILBACK,
        "        redis_eligible ",
        "        #redis_eligible ",
        "eligible",
        Level::Fail,
    ),
    (FAILBACK, "        check_redis\n", "", "check", Level::Fail),
    (
        FAILBACK,
        "    weight 0\n",
        "    weight -20\n",
        "check",
        Level::Fail,
    ),
    (
        FAILBACK,
        "        check_redis\n",
        "        check_redis weight -20\n",
        "check",
        Level::Fail,
    ),
    (
        FAILBACK,
        "    interval 1\n",
        "    interval 0.5\n",
        "check-times",
        Level::Fail,
    ),
    (
        FAILBACK,
        "    timeout 1\n",
        "    timeout 0.4\n",
        "check-times",
        Level::Fail,
    ),
    (
        FAILBACK,
        "    interval 1\n",
        "    interval 10\n",
        "check-times",
        Level::Warn,
    ),
    (
        FAILBACK,
        "check_redis\"\n",
        "check_redis --timeout 2s\"\n",
        "check-times",
        Level::Fail,
    ),
    (
        FAILBACK,
        "    priority $PRIORITY\n",
        "    priority 255\n",
        "priority",
        Level::Fail,
    ),
    (
        FAILBACK,
        "    priority $PRIORITY\n",
        "    priority 100\n",
        "priority",
        Level::Warn,
    ),
    (
        FAILBACK,
        "    priority $PRIORITY\n",
        "@redis-a    priority 150\n@redis-b    priority 100\n",
        "weight",
        Level::Fail,
    ),
    (
        FAILBACK,
        "@redis-b $PRIORITY=253\n",
        "@redis-b $PRIORITY=100\n",
        "weight",
        Level::Fail,
    ),
    (
        FAILBACK,
        "    priority $PRIORITY\n",
        "@redis-a    priority 101\n@redis-b    priority 100\n",
        "priority",
        Level::Warn,
    ),
    (
        FAILBACK,
        "        192.168.158.13\n",
        "        192.168.158.99/24\n",
        "vip",
        Level::Fail,
    ),
    (
        FAILBACK,
        "@redis-a    192.168.158.12\n",
        "",
        "unicast",
        Level::Fail,
    ),
    (
        FAILBACK,
        "@redis-a    192.168.158.12\n",
        "192.168.158.12\n192.168.158.11\n",
        "unicast",
        Level::Fail,
    ),
    (
        FAILBACK,
        "    unicast_src_ip $SELF\n",
        "    unicast_src_ip 192.168.158.77\n",
        "unicast-source",
        Level::Fail,
    ),
    (
        FAILBACK,
        "    unicast_src_ip $SELF\n",
        "    unicast_src_ip $SLEF\n",
        "unicast-source",
        Level::Fail,
    ),
    (
        FAILBACK,
        "    unicast_src_ip $SELF\n",
        "",
        "unicast-source",
        Level::Warn,
    ),
    (
        FAST,
        "    version 3\n",
        "    version 2\n",
        "advert-interval",
        Level::Fail,
    ),
    (FAST, "    version 3\n", "", "advert-interval", Level::Fail),
    (
        FAILBACK,
        "    advert_int 1 ",
        "    advert_int one ",
        "advert-interval",
        Level::Fail,
    ),
    (
        FAILBACK,
        "    vrrp_check_unicast_src\n",
        "",
        "check-unicast-source",
        Level::Warn,
    ),
    (
        FAILBACK,
        "    vrrp_garp_master_refresh 10\n",
        "",
        "announce-again",
        Level::Warn,
    ),
    (
        FAILBACK,
        "    vrrp_garp_lower_prio_repeat 1\n",
        "",
        "announce-against",
        Level::Warn,
    ),
    (
        FAILBACK,
        "    vrrp_higher_prio_send_advert true\n",
        "    vrrp_higher_prio_send_advert false\n",
        "give-way",
        Level::Warn,
    ),
    (
        FAST,
        "    vrrp_rt_priority 50 ",
        "    #vrrp_rt_priority 50 ",
        "real-time",
        Level::Warn,
    ),
    (
        FAST,
        "    vrrp_rlimit_rtime ",
        "    #vrrp_rlimit_rtime ",
        "real-time-limit",
        Level::Warn,
    ),
    (
        FAST,
        "    weight 0 ",
        "    #weight 0 ",
        "track-file",
        Level::Fail,
    ),
    (
        SENTINEL,
        "    weight -1 ",
        "    weight 0 ",
        "track-file",
        Level::Fail,
    ),
    (
        FAILBACK,
        "    notify_master_rx_lower_pri ",
        "    #notify_master_rx_lower_pri ",
        "notify",
        Level::Fail,
    ),
    (
        FAILBACK,
        "    notify_stop ",
        "    #notify_stop ",
        "notify",
        Level::Fail,
    ),
    (
        FAILBACK,
        "    notify_backup \"/usr/libexec/keepalived/redis_backup\"",
        "    notify_backup \"/usr/libexec/keepalived/redis_fault\"",
        "notify",
        Level::Fail,
    ),
    (
        FAILBACK,
        "keepalived/redis_fault\"",
        "keepalived/redis_fault --config /etc/other.toml\"",
        "notify",
        Level::Fail,
    ),
    (
        FAILBACK,
        "    notify_stop ",
        "    notify \"/usr/libexec/keepalived/redis_master\"\n    notify_stop ",
        "notify",
        Level::Fail,
    ),
    (
        FAILBACK,
        "    enable_script_security\n",
        "",
        "script-security",
        Level::Warn,
    ),
    (
        FAILBACK,
        "    script_user root\n",
        "",
        "script-user",
        Level::Fail,
    ),
    (
        FAILBACK,
        "    script_user root\n",
        "    script_user nobody\n",
        "script-user",
        Level::Fail,
    ),
];

#[test]
fn each_line_on_keepalived_conf_is_provoked_and_cured_by_its_own_advice() {
    for (variant, from, to, check, bad) in EDITS {
        let good = example(variant);
        let sick = good.replacen(from, to, 1);
        assert!(sick != good, "{from:?} is not in the example");
        let expected = expected(variant.contains(&"sentinel"));
        let mut text = sick.clone();
        assert_eq!(
            level(&judged(&seen(&text), &expected), check),
            *bad,
            "{from:?} -> {to:?}"
        );
        for _ in 0..4 {
            let found = judged(&seen(&text), &expected);
            let sick = found.iter().find(|line| line.level > Level::Unseen);
            let Some(fix) = sick.and_then(|line| line.fix.first()) else {
                break;
            };
            text = follow(&text, fix)
                .unwrap_or_else(|| panic!("{from:?} -> {to:?}: no line to write: {fix:?}"));
        }
        let found = judged(&seen(&text), &expected);
        let left: Vec<&Finding> = found
            .iter()
            .filter(|line| line.level > Level::Unseen)
            .collect();
        assert!(left.is_empty(), "{from:?} -> {to:?}: {left:#?}");
    }
}

#[test]
fn what_is_not_in_a_line_of_the_file_is_said_with_what_to_do() {
    let good = example(FAILBACK);
    type Change = fn(&mut Keepalived);
    let changes: [(&str, Level, Change); 9] = [
        ("keepalived-version", Level::Fail, |seen| {
            seen.version = Some(Version(2, 0, 6))
        }),
        ("keepalived-version", Level::Unseen, |seen| {
            seen.version = None
        }),
        ("keepalived-conf", Level::Fail, |seen| {
            seen.conf = Err("No such file or directory".to_owned())
        }),
        ("keepalived-conf", Level::Unseen, |seen| {
            seen.conf = Err("Permission denied (os error 13)".to_owned())
        }),
        ("keepalived-test", Level::Fail, |seen| {
            seen.tested = Ok(Said {
                code: Some(5),
                text: "Line 5: no".to_owned(),
            })
        }),
        ("keepalived-test", Level::Fail, |seen| {
            seen.tested = Ok(Said {
                code: Some(6),
                text: "unsafe".to_owned(),
            })
        }),
        ("keepalived-test", Level::Unseen, |seen| {
            seen.tested = Err("starting keepalived: no".to_owned())
        }),
        ("host-name", Level::Fail, |seen| {
            seen.host = "redis-z".to_owned()
        }),
        ("alike", Level::Unseen, |seen| seen.elsewhere.clear()),
    ];
    for (check, bad, change) in changes {
        let mut keepalived = seen(&good);
        change(&mut keepalived);
        let found = judged(&keepalived, &expected(false));
        assert_eq!(level(&found, check), bad, "{check}: {found:#?}");
    }
}

#[test]
fn differences_between_the_hosts_of_one_file_are_seen() {
    let good = example(FAILBACK);
    for (from, to, check, bad) in [
        (
            "    virtual_router_id 51\n",
            "@redis-a    virtual_router_id 51\n@redis-b    virtual_router_id 52\n",
            "alike",
            Level::Fail,
        ),
        (
            "@redis-b $PRIORITY=253\n",
            "@redis-b $PRIORITY=254\n",
            "priority",
            Level::Warn,
        ),
        (
            "@redis-b $PRIORITY=253\n",
            "@redis-b $PRIORITY=100\n",
            "weight",
            Level::Fail,
        ),
        (
            "        redis_eligible ",
            "        redis_elligible ",
            "tracked",
            Level::Fail,
        ),
        (
            "    virtual_router_id 51\n",
            "    virtual_router_id 51\n    authentication {\n auth_type PASS\n }\n",
            "authentication",
            Level::Warn,
        ),
        (
            "vrrp_script check_redis {",
            "vrrp_sync_group g {\n notify_master \
             \"/usr/libexec/keepalived/redis_master\"\n}\nvrrp_script check_redis {",
            "notify",
            Level::Fail,
        ),
    ] {
        assert!(good.contains(from), "{from:?} is not in the example");
        let found = judged(&seen(&good.replacen(from, to, 1)), &expected(false));
        assert_eq!(level(&found, check), bad, "{to}: {found:#?}");
    }
}

#[test]
fn the_files_of_the_programs_are_judged_and_cured_by_a_command() {
    let good = example(FAILBACK);
    type Change = fn(&mut ProgramFile);
    let changes: [(&str, Change, &str); 6] = [
        (
            "program",
            |file| file.found = Err("No such file or directory".to_owned()),
            "install",
        ),
        (
            "program",
            |file| {
                file.found = Ok(Mode {
                    bits: 0o644,
                    ..GOOD
                })
            },
            "chmod 755 /usr/libexec/keepalived/check_redis",
        ),
        (
            "program",
            |file| {
                file.found = Ok(Mode {
                    is_file: false,
                    ..GOOD
                })
            },
            "install",
        ),
        (
            "program",
            |file| file.interpreter = Some(("/bin/no".into(), false)),
            "install",
        ),
        (
            "program-safe",
            |file| file.open = vec!["/usr/libexec".into()],
            "chown root:root /usr/libexec && chmod go-w /usr/libexec",
        ),
        (
            "program-safe",
            |file| file.open = vec!["/tmp".into()],
            "to /usr/libexec/keepalived",
        ),
    ];
    for (check, change, advice) in changes {
        let mut keepalived = seen(&good);
        keepalived.programs.iter_mut().take(1).for_each(change);
        let found = judged(&keepalived, &expected(false));
        assert_eq!(level(&found, check), Level::Fail, "{check}");
        let fix = found
            .iter()
            .find(|line| line.level == Level::Fail)
            .and_then(|line| line.fix.first())
            .map(Fix::text);
        assert!(
            fix.as_ref().is_some_and(|fix| fix.contains(advice)),
            "{fix:?}"
        );
    }
}

#[test]
fn what_the_watcher_writes_is_missed_by_name() {
    for (state, fact) in [((false, false), Fact("K29")), ((true, false), Fact("K18"))] {
        let mut keepalived = seen(&example(FAST));
        keepalived
            .watched
            .values_mut()
            .for_each(|watched| *watched = state);
        let found = judged(&keepalived, &expected(false));
        let line = found
            .iter()
            .find(|line| line.level == Level::Fail)
            .expect("it fails");
        assert_eq!((line.check, line.fact), ("track-file", fact));
    }
}
