//! A keepalived in which all is well, to be spoilt and cured: for tests.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::console::doctor::finding::{Finding, Findings, Fix, Subject};
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
