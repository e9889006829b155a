//! Commands that somebody has renamed in redis.conf: named in `[commands]` all goes on, otherwise
//! the journal says it.

use lab::host::Host;
use lab::lab::VIP;
use lab::observer::Role;
use lab::redis_server;
use lab::wait;
use lab::writer::Rate;

use crate::handover::{nothing_lost, until_written};
use crate::pair::{CONFIG, Pair, SOON, Version, fetch_five, journal, until_on_disk};
use crate::runs::{run, start};

const REDIS_CONF: &str = "/etc/redis/redis.conf";
const ALL: &[&str] = &["SLAVEOF", "CONFIG", "CLIENT", "INFO", "SYNC"];
const FUNCTIONS: &[&str] = &["FUNCTION", "FCALL_RO"];

fn renamed(command: &str) -> String {
    // XINFO is a command of its own.
    format!("my-{}", command.to_lowercase())
}

/// A pair that runs with `lines` in redis.conf.
fn pair(version: Version, lines: &str) -> Pair {
    let pair = Pair::new(version);
    for host in [pair.b(), pair.a()] {
        until_on_disk(host);
        redis_server::stop(host).expect("stopped");
        redis_server::add_line(host, lines).expect("redis.conf");
    }
    for host in [pair.a(), pair.b()] {
        pair.start_redis(host);
    }
    let linked = || pair.lab.seen()[1].line().contains("(connected)");
    wait::until("b is linked", SOON, linked).expect("replication works");
    pair
}

/// Both know the new names.
fn name(pair: &Pair, commands: &[&str]) {
    let names: String = commands
        .iter()
        .map(|command| format!("{} = \"{}\"\n", command.to_lowercase(), renamed(command)))
        .collect();
    for host in [pair.a(), pair.b()] {
        host.write(
            CONFIG,
            &format!("{}[commands]\n{names}", pair.config("")),
            0o644,
        )
        .expect("written");
    }
}

fn is_master(pair: &Pair, host: &Host) -> bool {
    pair.lab.seen()[usize::from(host.name == pair.b().name)].role == Role::Master
}

fn well(host: &Host, program: &str, args: &[&str]) -> String {
    let ran = run(host, program, args);
    assert_eq!(ran.code, Some(0), "{program}: {}", ran.said);
    assert!(
        !ran.said.contains("unknown command") && !ran.said.contains("ALARM"),
        "{program}: {}",
        ran.said
    );
    ran.said
}

/// Handover, promotion, following with a rollback file, and roles that are written down.
fn a_whole_life(version: Version, commands: &[&str]) {
    let lines: String = commands
        .iter()
        .map(|command| format!("rename-command {command} {}\n", renamed(command)))
        .collect();
    let pair = pair(version, &lines);
    name(&pair, commands);
    let (a, b) = (pair.a(), pair.b());
    let writer = pair.lab.write(Rate::PerSecond(500));
    until_written(&writer, 50);
    pair.vip(b);
    assert!(well(b, "redis_master", &[]).contains("took the role over from"));
    well(a, "redis_backup", &[]);
    until_written(&writer, 50);
    for (host, follows) in [(a, true), (b, false)] {
        let conf = std::fs::read_to_string(host.file(REDIS_CONF)).expect("redis.conf");
        let found = conf
            .lines()
            .any(|line| line.starts_with("replicaof") || line.starts_with("slaveof"));
        assert_eq!(
            found, follows,
            "{} would start in the old role\n{conf}",
            host.name
        );
        assert!(conf.contains("rename-command"), "{conf}");
        well(host, "check_redis", &["-v"]);
        well(host, "check_redis", &["--eligible", "-v"]);
    }
    nothing_lost(&pair, writer);

    redis_server::kill(b).expect("killed");
    pair.vip(a);
    assert!(well(a, "redis_master", &[]).contains("promoted"));
    assert_eq!(pair.write_through_vip("after"), "OK");
    pair.start_redis(b);
    assert_eq!(
        redis_server::call(b, &["SET", "only-on-b", "1"])
            .expect("b answers")
            .text(),
        "OK"
    );
    let said = well(b, "redis_backup", &[]);
    assert!(
        said.contains("kept the local data in") && said.contains("in sync"),
        "{said}"
    );
}

#[test]
fn renamed_commands_that_are_named_move_roles_and_keep_files() {
    a_whole_life(Version::Own, &[ALL, FUNCTIONS].concat());
}

#[test]
fn renamed_commands_that_are_named_stop_the_writes_of_a_redis_that_can_not_pause_them() {
    fetch_five();
    a_whole_life(Version::Five, ALL);
}

#[test]
fn a_renamed_command_that_is_not_named_is_called_so_and_what_to_do_is_said() {
    let pair = pair(Version::Own, "rename-command SLAVEOF my-slaveof");
    well(pair.b(), "check_redis", &["--eligible"]);
    redis_server::kill(pair.a()).expect("killed");
    pair.vip(pair.b());
    let master = start(pair.b(), "redis_master");
    let sentence = "SLAVEOF NO ONE on 192.168.158.12:6379: it says ERR unknown command SLAVEOF: \
        is it renamed there? \
                    name it in [commands] of redis-ha.toml; looking again";
    wait::until("it says so", SOON, || journal(pair.b()).contains(sentence))
        .unwrap_or_else(|error| panic!("{error}\n{}", pair.story()));
    drop(master);
    name(&pair, &["SLAVEOF"]);
    assert!(well(pair.b(), "redis_master", &[]).contains("promoted"));
    // One that is called something else again.
    let other = format!("{}[commands]\nslaveof = \"guess\"\n", pair.config(""));
    pair.b().write(CONFIG, &other, 0o644).expect("written");
    redis_server::call(pair.b(), &["my-slaveof", "127.0.0.1", "1"]).expect("b answers");
    pair.start_redis(pair.a());
    let _master = start(pair.b(), "redis_master");
    let sentence = "unknown command: what [commands] of redis-ha.toml names for SLAVEOF; is it \
        called so on that node, too?";
    wait::until("it says so", SOON, || journal(pair.b()).contains(sentence))
        .unwrap_or_else(|error| panic!("{error}\n{}", pair.story()));
    assert!(
        !journal(pair.b()).contains("guess"),
        "a name is given away: {}",
        journal(pair.b())
    );
}

#[test]
fn without_config_roles_move_with_a_warning_and_are_not_written_down() {
    let pair = pair(Version::Own, "rename-command CONFIG \"\"");
    pair.vip(pair.b());
    let ran = run(pair.b(), "redis_master", &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    for node in ["192.168.158.11:6379", "192.168.158.12:6379"] {
        let warning = format!(
            "warning: CONFIG REWRITE on {node}: it says ERR unknown command CONFIG: is it renamed \
             there, or disabled? name it in \
             [commands] of redis-ha.toml; its role will not survive a restart"
        );
        assert!(ran.said.contains(&warning), "{}", ran.said);
    }
    wait::until("b is master", SOON, || is_master(&pair, pair.b())).expect("the role has moved");
}

#[test]
fn without_client_a_living_master_keeps_the_role_and_a_dead_one_is_replaced() {
    let pair = pair(Version::Own, "rename-command CLIENT \"\"");
    well(pair.b(), "check_redis", &["--eligible"]);
    pair.vip(pair.b());
    let mut master = start(pair.b(), "redis_master");
    let sentence = "stopping the writes on 192.168.158.11:6379: it says ERR unknown command \
        CLIENT: is it renamed there, or \
                    disabled? name it in [commands] of redis-ha.toml; looking again";
    wait::until("it says so", SOON, || journal(pair.b()).contains(sentence))
        .unwrap_or_else(|error| panic!("{error}\n{}", pair.story()));
    assert!(
        is_master(&pair, pair.a()) && !is_master(&pair, pair.b()),
        "{}",
        pair.story()
    );
    redis_server::kill(pair.a()).expect("killed");
    assert_eq!(master.until_ended(SOON), Some(0), "{}", pair.story());
    assert_eq!(pair.write_through_vip("after"), "OK", "{VIP}");
}

#[test]
fn a_client_that_is_said_to_be_disabled_is_not_needed_to_stop_the_writes() {
    let pair = pair(Version::Own, "rename-command CLIENT \"\"");
    for host in [pair.a(), pair.b()] {
        host.write(
            CONFIG,
            &format!("{}[commands]\nclient = \"\"\n", pair.config("")),
            0o644,
        )
        .expect("written");
    }
    let writer = pair.lab.write(Rate::PerSecond(500));
    for to in [pair.b(), pair.a()] {
        until_written(&writer, 50);
        pair.vip(to);
        assert!(well(to, "redis_master", &[]).contains("took the role over from"));
        until_written(&writer, 50);
    }
    // What a handover leaves that was killed with the writes stopped.
    redis_server::call(
        pair.a(),
        &["CONFIG", "SET", "min-slaves-to-write", "1000000"],
    )
    .expect("a answers");
    assert!(well(pair.a(), "redis_master", &[]).contains("lifted the fence"));
    until_written(&writer, 50);
    nothing_lost(&pair, writer);
}

#[test]
fn a_rollback_file_that_needs_a_command_of_another_name_is_not_left_out_and_the_data_stays() {
    let pair = pair(Version::Own, "rename-command SYNC my-sync");
    redis_server::call(pair.b(), &["SLAVEOF", "NO", "ONE"]).expect("b answers");
    redis_server::call(pair.b(), &["SET", "only-on-b", "1"]).expect("b answers");
    let mut backup = start(pair.b(), "redis_backup");
    let sentence = "SYNC: it says ERR unknown command SYNC: is it renamed there? name it in \
        [commands] of redis-ha.toml";
    wait::until("it says so", SOON, || journal(pair.b()).contains(sentence))
        .unwrap_or_else(|error| panic!("{error}\n{}", pair.story()));
    assert!(is_master(&pair, pair.b()), "its data was dropped");
    assert!(backup.is_at_work(), "it gave up");
    drop(backup);
    name(&pair, &["SYNC"]);
    assert!(well(pair.b(), "redis_backup", &[]).contains("kept the local data in"));
}

#[test]
fn an_info_under_another_name_is_an_alarm_of_the_check_and_no_death() {
    let pair = pair(Version::Own, "rename-command INFO my-info");
    let ran = run(pair.a(), "check_redis", &["-v"]);
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    assert!(
        ran.said.contains(
            "ALARM: a command is missing at 192.168.158.11:6379: alive, but it says ERR unknown \
             command INFO"
        ),
        "{}",
        ran.said
    );
}
