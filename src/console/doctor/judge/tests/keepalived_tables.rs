//! Each line on keepalived, provoked: what is advised is done, literally, and looked at again.

use super::keepalived_case::{GOOD, example, expected, follow, judged, seen};
use super::keepalived_edits::{EDITS, FAILBACK, FAST};
use crate::console::doctor::finding::tests::level;
use crate::console::doctor::finding::{Fact, Finding, Fix, Level};
use crate::console::doctor::look::command::Said;
use crate::console::doctor::look::keepalived::Keepalived;
use crate::console::doctor::look::modes::{Mode, ProgramFile};
use crate::server::info::Version;

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
