//! Files of this machine with anything in them: the memory, the password, and values of every kind
//! in the configuration.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use keepalived_redis::config::{Config, Environment, Flap, SECTIONS};
use keepalived_redis::node::deaths;
use keepalived_redis::node::memory::{CopyDelay, InFile, Memory, Served, StateFile, Store, Synced};
use keepalived_redis::node::ticket;
use keepalived_redis::node::turn::{Entry, Turn};
use keepalived_redis::node::vrrp_state::VrrpState;
use proptest::prelude::*;

/// Reads all of a memory directory, each file in every way in which the programs read one.
fn read_all(dir: &Path) -> Memory {
    let store = Store::new(dir);
    for file in StateFile::ALL {
        let _ = store.note(*file);
    }
    let _ = (store.get::<CopyDelay>(), store.get::<InFile>());
    let _ = deaths::held_back(&store, &Flap::default());
    let _ = ticket::read(dir).map(|ticket| ticket.is_some_and(|ticket| ticket.is_at_work()));
    let memory = store.read();
    // Last, for each look at a spell is written down. The ticket is left to `Turn::enter`.
    for file in StateFile::ALL {
        if *file != StateFile::Turn {
            assert!(
                store.spell(*file, true) <= Duration::from_secs(400 * 24 * 3600),
                "nobody was alone for that long: {file:?}"
            );
        }
    }
    memory
}

/// Text that is nearly what stands in a memory file.
fn nearly() -> impl Strategy<Value = Vec<u8>> {
    let key = prop::sample::select(vec![
        "run_id", "replid", "at", "peer", "boot", "since", "last", "seconds", "offset", "path",
        "state", "newest", "worker", "parent", "done", "counted", "start", "pid",
    ]);
    let value = prop_oneof![
        any::<i128>().prop_map(|n| n.to_string()),
        any::<f64>().prop_map(|n| format!("{n:e}")),
        "[ -~]{0,12}".prop_map(|text| format!("{text:?}")),
        prop::sample::select(vec![
            "true",
            "[]",
            "{}",
            "{ start = 1, pid = 1 }",
            "{ start = -1, pid = 4294967296 }",
            "\"MASTER\"",
            "\"192.168.158.12:6379\"",
            "\"0\\n1\"",
            "1979-05-27",
            "[9223372036854775807, -9223372036854775808]",
        ])
        .prop_map(str::to_owned),
    ];
    let line = (key, value).prop_map(|(key, value)| format!("{key} = {value}\n"));
    prop::collection::vec(line, 0..9).prop_map(|lines| lines.concat().into_bytes())
}

/// A whole memory as the programs write it.
fn filled(dir: &Path) {
    let store = Store::new(dir);
    let peer = "192.168.158.12:6379".parse().expect("an address");
    store.set_served("a", "b").expect("written");
    store.set_synced("a", "b", peer).expect("written");
    store
        .set(&CopyDelay {
            run_id: "a".into(),
            seconds: "5".into(),
        })
        .expect("written");
    store
        .set(&InFile {
            run_id: "a".into(),
            replid: "b".into(),
            offset: 7,
            path: "/x".into(),
            bytes: 9,
        })
        .expect("written");
    store
        .set_note(StateFile::CheckVerdict, "ok")
        .expect("written");
    store.spell(StateFile::Alone, true);
    deaths::seen_alive(&store, "a", &Flap::default());
    deaths::seen_dead(&store, &Flap::default());
    let (Entry::Yours(turn), _) = Turn::enter(dir, VrrpState::Master) else {
        panic!("nobody else is here")
    };
    turn.done();
    // An older process's: of two that started in the same tick, the greater pid is the newer one.
    let path = StateFile::Turn.path(dir);
    let mut ticket: toml::Table = fs::read_to_string(&path)
        .expect("a ticket")
        .parse()
        .expect("toml");
    for process in ["newest", "worker"] {
        let start = &mut ticket[process]["start"];
        *start = (start.as_integer().expect("ticks") - 1).into();
    }
    fs::write(&path, ticket.to_string()).expect("a write");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn a_memory_of_anything_is_read_without_harm_and_written_anew(
        bytes in prop_oneof![prop::collection::vec(any::<u8>(), 0..600), nearly()],
    ) {
        let dir = tempfile::tempdir().expect("a directory");
        for file in StateFile::ALL {
            fs::write(file.path(dir.path()), &bytes).expect("a write");
        }
        read_all(dir.path());
        // Nobody's turn, or an older one's: this program's.
        let (entry, complaint) = Turn::enter(dir.path(), VrrpState::Backup);
        prop_assert!(matches!(&entry, Entry::Yours(turn) if turn.check().is_ok()), "{complaint:?}");
        let store = Store::new(dir.path());
        store.set_served("run", "id").expect("written");
        prop_assert_eq!(store.read().served.map(|served| served.run_id), Some("run".to_string()));
    }

    #[test]
    fn a_memory_that_was_cut_or_damaged_is_read_without_harm(
        cut in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let dir = tempfile::tempdir().expect("a directory");
        filled(dir.path());
        for file in StateFile::ALL {
            let path = file.path(dir.path());
            let Ok(mut bytes) = fs::read(&path) else { continue };
            if !bytes.is_empty() {
                let place = at.index(bytes.len());
                bytes[place] = byte;
            }
            bytes.truncate(cut.index(bytes.len() + 1).max(bytes.len() / 2));
            fs::write(&path, bytes).expect("a write");
        }
        read_all(dir.path());
        prop_assert!(matches!(Turn::enter(dir.path(), VrrpState::Fault).0, Entry::Yours(_)));
    }

    #[test]
    fn a_password_file_of_anything_is_one_password_or_one_line_that_does_not_tell_it(
        bytes in prop_oneof![prop::collection::vec(any::<u8>(), 0..60), "[ -~\r\n]{0,40}".prop_map(String::into_bytes)],
    ) {
        let dir = tempfile::tempdir().expect("a directory");
        let secret = dir.path().join("redis.pass");
        fs::write(&secret, &bytes).expect("a write");
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).expect("its mode");
        match load(dir.path(), &format!("[auth]\npassword_file = {secret:?}\n")) {
            Ok(config) => {
                let password = config.auth.password.clone().expect("one was read");
                let found = password.expose();
                prop_assert!(!found.is_empty() && !found.contains(['\n', '\r', '\0']), "{found:?}");
                prop_assert!(bytes.starts_with(found.as_bytes()));
                let told = found.len() > 12 && format!("{:?}", config).contains(found);
                prop_assert!(!told);
            }
            Err(line) => {
                prop_assert!(!line.contains(char::is_control), "{line:?}");
                let told = String::from_utf8(bytes).is_ok_and(|text| text.trim().len() > 7 && line.contains(text.trim()));
                prop_assert!(!told, "{line:?}");
            }
        }
    }

    #[test]
    fn any_value_of_any_kind_for_any_key_is_taken_or_refused_on_one_line(
        (section, name) in prop::sample::select(every_place()), value in value(3),
    ) {
        let dir = tempfile::tempdir().expect("a directory");
        let text = match section {
            "" => format!("{name} = {value}\n"),
            section => format!("[{section}]\n{name} = {value}\n"),
        };
        if let Err(line) = load(dir.path(), &text) {
            prop_assert!(!line.is_empty() && line.len() < 5000 && !line.contains(char::is_control), "{line:?}");
        }
    }
}

/// Every key that `load` has not written yet, in its section, and every section in place of a key.
fn every_place() -> Vec<(&'static str, &'static str)> {
    let keys = SECTIONS
        .iter()
        .flat_map(|(section, keys)| keys.iter().map(|key| (*section, *key)));
    let sections = SECTIONS
        .iter()
        .map(|(section, _)| section.rsplit_once('.').unwrap_or(("", section)));
    let written = [("", "nodes"), ("", "vip"), ("", "")];
    keys.chain(sections)
        .filter(|place| !written.contains(place))
        .collect()
}

/// A value of TOML, of any kind and size, nested so deeply.
fn value(depth: u32) -> impl Strategy<Value = String> {
    let unit = prop::sample::select(vec![
        "", "ms", "s", "m", "h", "y", "ns", "KiB", "MiB", "EiB", "%", " s", "e9s",
    ]);
    let leaf = prop_oneof![
        any::<i64>().prop_map(|n| n.to_string()),
        any::<f64>().prop_map(|n| format!("{n:?}").replace("NaN", "nan")),
        (any::<u64>(), unit).prop_map(|(n, unit)| format!("\"{n}{unit}\"")),
        ".{0,30}".prop_map(|text| toml::Value::String(text).to_string()),
        prop::sample::select(vec![
            "true",
            "\"\"",
            "1979-05-27T07:32:00Z",
            "07:32:00",
            "-0",
            "0xffffffffffffffff",
            "1_000"
        ])
        .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(depth, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|items| format!("[{}]", items.join(", "))),
            inner.prop_map(|value| format!("{{ x = {value} }}")),
        ]
    })
}

fn load(dir: &Path, more: &str) -> Result<Config, String> {
    let path = dir.join("redis-ha.toml");
    fs::write(
        &path,
        format!("nodes = [\"10.0.0.1:1\", \"10.0.0.2:1\"]\nvip = \"10.0.0.3\"\n{more}"),
    )
    .expect("a write");
    let environment = Environment {
        state: dir.join("state"),
        password: None,
    };
    Config::load_in(&path, &environment).map_err(|error| error.to_string())
}

#[test]
fn whatever_stands_in_place_of_a_memory_file_holds_nobody_up() {
    let dir = tempfile::tempdir().expect("a directory");
    for file in StateFile::ALL {
        fs::create_dir(file.path(dir.path())).expect("a directory in its place");
    }
    let clock = Instant::now();
    assert_eq!(read_all(dir.path()), Memory::default());
    assert!(
        matches!(
            Turn::enter(dir.path(), VrrpState::Master),
            (Entry::Yours(_), Some(_))
        ),
        "a failover goes on"
    );
    for file in StateFile::ALL {
        let path = file.path(dir.path());
        fs::remove_dir(&path).expect("removed");
        // 4 GB of nothing.
        fs::File::create(&path)
            .and_then(|file| file.set_len(4 << 30))
            .expect("a file with a hole");
    }
    assert_eq!(read_all(dir.path()), Memory::default());
    for file in [StateFile::Served, StateFile::Synced] {
        let path = file.path(dir.path());
        fs::remove_file(&path).expect("removed");
        // Nobody ever writes into it.
        let made = std::process::Command::new("mkfifo")
            .arg(&path)
            .status()
            .expect("mkfifo runs");
        assert!(made.success(), "a pipe in place of {file:?}");
    }
    assert_eq!(Store::new(dir.path()).read(), Memory::default());
    // Whoever read one of them to its end would need a second for it, and there are more than twenty.
    assert!(
        clock.elapsed() < Duration::from_secs(10),
        "{:?}",
        clock.elapsed()
    );
}

#[test]
fn memories_are_taken_for_what_they_are_where_they_are_whole() {
    let dir = tempfile::tempdir().expect("a directory");
    filled(dir.path());
    let memory = read_all(dir.path());
    assert!(
        matches!(
            memory,
            Memory {
                served: Some(Served { .. }),
                synced: Some(Synced { .. }),
                ..
            }
        ),
        "{memory:?}"
    );
}
