//! Which service the local Redis is, and with what command systemd starts it: by the files, as
//! install.sh finds it.

use std::fs;
use std::path::{Path, PathBuf};

/// In the order in which they count.
const DIRS: [&str; 5] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];
const NAMES: [&str; 4] = ["redis-server", "redis", "valkey-server", "valkey"];

/// The service of a process with this `/proc/PID/cgroup`; without one, the only one that there is a
/// file for.
pub(crate) fn unit_of(cgroup: &str) -> Option<String> {
    let of_process = cgroup
        .trim_end()
        .rsplit('/')
        .find_map(|part| part.strip_suffix(".service"));
    // A shell's own, where somebody started Redis by hand.
    let of_process = of_process.filter(|name| NAMES.iter().any(|known| name.starts_with(known)));
    if let Some(name) = of_process {
        return Some(name.to_owned());
    }
    let mut there = NAMES
        .iter()
        .filter(|name| file(Path::new("/"), name).is_some());
    match (there.next(), there.next()) {
        (Some(name), None) => Some((*name).to_owned()),
        _ => None,
    }
}

/// The command of the service `unit`.
pub(crate) fn command_of(unit: &str) -> Option<String> {
    command_below(Path::new("/"), unit)
}

/// Its file. An alias, and /dev/null of a masked unit, are none.
fn file(root: &Path, unit: &str) -> Option<PathBuf> {
    let name = format!("{unit}.service");
    let template = unit
        .split_once('@')
        .map(|(before, _)| format!("{before}@.service"));
    let names = [Some(name), template];
    let found = DIRS.iter().flat_map(|dir| {
        names
            .iter()
            .flatten()
            .map(move |name| below(root, dir).join(name))
    });
    let found = found
        .into_iter()
        .find(|path| path.symlink_metadata().is_ok())?;
    let real = fs::canonicalize(&found).ok()?;
    (real.file_name() == found.file_name()).then_some(found)
}

fn below(root: &Path, dir: &str) -> PathBuf {
    root.join(dir.trim_start_matches('/'))
}

fn command_below(root: &Path, unit: &str) -> Option<String> {
    let mut parts: Vec<PathBuf> = Vec::new();
    let template = unit.split_once('@').map(|(before, _)| format!("{before}@"));
    for name in template.iter().map(String::as_str).chain([unit]) {
        for dir in DIRS {
            let drop_ins = fs::read_dir(below(root, dir).join(format!("{name}.service.d"))).ok();
            let files = drop_ins
                .into_iter()
                .flatten()
                .flatten()
                .map(|entry| entry.path());
            parts.extend(files.filter(|path| {
                path.extension()
                    .is_some_and(|extension| extension == "conf")
            }));
        }
    }
    // Drop-ins count in the order of their names, wherever they are.
    parts.sort_by_key(|path| path.file_name().map(ToOwned::to_owned));
    let texts = std::iter::once(file(root, unit)?)
        .chain(parts)
        .filter_map(|path| fs::read_to_string(path).ok());
    let text = texts.collect::<Vec<_>>().join("\n").replace("\\\n", " ");
    let mut commands = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("ExecStart="))
        .map(str::trim);
    commands
        .rfind(|command| !command.is_empty())
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_drop_in_by_its_name_says_how_it_is_started() {
        let root = tempfile::tempdir().expect("a directory");
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
            fs::write(path, text).expect("a file");
        };
        write(
            "lib/systemd/system/redis-server.service",
            "[Service]\nExecStart=/usr/bin/redis-server \\\n /etc/r.conf\n",
        );
        assert_eq!(
            command_below(root.path(), "redis-server").as_deref(),
            Some("/usr/bin/redis-server   /etc/r.conf")
        );
        write(
            "etc/systemd/system/redis-server.service.d/zz.conf",
            "[Service]\nExecStart=\nExecStart=/x --slaveof 127.0.0.1 1\n",
        );
        write(
            "lib/systemd/system/redis-server.service.d/aa.conf",
            "[Service]\nExecStart=\nExecStart=/y\n",
        );
        assert_eq!(
            command_below(root.path(), "redis-server").as_deref(),
            Some("/x --slaveof 127.0.0.1 1")
        );
        write("lib/systemd/system/redis@.service", "ExecStart=/z %i\n");
        assert_eq!(
            command_below(root.path(), "redis@6380").as_deref(),
            Some("/z %i")
        );
        assert_eq!(command_below(root.path(), "valkey"), None);
    }

    #[test]
    fn the_service_of_a_process_stands_in_its_cgroup() {
        assert_eq!(
            unit_of("0::/system.slice/redis-server.service\n").as_deref(),
            Some("redis-server")
        );
        assert_eq!(
            unit_of("0::/system.slice/system-redis.slice/redis@6380.service\n").as_deref(),
            Some("redis@6380")
        );
    }
}
