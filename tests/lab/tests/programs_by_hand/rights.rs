//! Configuration, passwords, ACL users, sockets and addresses: right, wrong, and broken while it serves.

use std::time::{Duration, Instant};

use lab::redis_server::PASSWORD;
use lab::wait;

use crate::pair::{CONFIG, Pair, SOON, Version, ask, info, journal};
use crate::runs::{run, start};

#[test]
fn a_broken_edit_while_serving_is_an_alarm_and_no_outage() {
    let pair = Pair::new(Version::Own);
    for host in [pair.a(), pair.b()] {
        assert_eq!(run(host, "check_redis", &[]).code, Some(0));
        host.write(CONFIG, "nodes = [\"192.168.158.11\n", 0o644).expect("written");
        for _ in 0..2 {
            let ran = run(host, "check_redis", &["-v"]);
            assert_eq!(ran.code, Some(0), "{}", ran.said);
            assert!(ran.said.contains("ALARM"), "{}", ran.said);
        }
    }
    pair.vip(pair.b());
    let ran = run(pair.b(), "redis_master", &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    assert!(journal(pair.b()).contains("ALARM"), "{}", pair.story());
    pair.until_serves(pair.b());
}

#[test]
fn without_a_configuration_it_can_not_tell_and_says_so_where_somebody_reads_it() {
    let pair = Pair::new(Version::Own);
    pair.b().sh(&format!("rm {CONFIG}")).expect("gone");
    for program in ["check_redis", "redis_master", "redis_backup", "redis_fault", "redis_stop"] {
        let ran = run(pair.b(), program, &[]);
        assert_eq!(ran.code, Some(3), "{program}: {}", ran.said);
        assert_eq!(ran.said.lines().count(), 1, "{program}: {}", ran.said);
    }
    assert_eq!(run(pair.b(), "check_redis", &["--nonsense"]).code, Some(2));
    // keepalived gives them /dev/null for a stderr.
    let logs = pair.b().sh("cat /var/log/keepalived-redis/*").expect("a shell");
    assert!(String::from_utf8_lossy(&logs.stdout).contains(CONFIG), "no journal says why");
}

#[test]
fn a_password_file_that_others_can_read_is_refused_but_takes_no_serving_pair_down() {
    let pair = Pair::new(Version::Own);
    pair.b().write("/etc/keepalived/redis.pass", PASSWORD, 0o644).expect("written");
    let ran = run(pair.b(), "check_redis", &[]);
    assert_eq!(ran.code, Some(3), "never read before: {}", ran.said);
    assert!(ran.said.contains("chmod 600") && !ran.said.contains(PASSWORD), "{}", ran.said);
    run(pair.a(), "check_redis", &[]);
    pair.a().write("/etc/keepalived/redis.pass", PASSWORD, 0o644).expect("written");
    let ran = run(pair.a(), "check_redis", &["-v"]);
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    assert!(ran.said.contains("ALARM"), "{}", ran.said);
}

#[test]
fn a_wrong_password_is_alive_and_an_alarm_and_is_never_shown() {
    let pair = Pair::new(Version::Own);
    for host in [pair.a(), pair.b()] {
        host.write("/etc/keepalived/redis.pass", "not-the-password", 0o600).expect("written");
        let ran = run(host, "check_redis", &["-v"]);
        assert_eq!(ran.code, Some(0), "{}: {}", host.name, ran.said);
        assert!(ran.said.contains("WRONGPASS"), "{}", ran.said);
        let logs = host.sh("cat /var/log/keepalived-redis/*; cat /var/lib/keepalived-redis/*/*").expect("a shell");
        let logs = String::from_utf8_lossy(&logs.stdout).into_owned();
        assert!(logs.contains("WRONGPASS") && logs.contains("ALARM"), "no alarm: {logs}");
        assert!(!logs.contains("not-the-password") && !logs.contains(PASSWORD), "{logs}");
    }
}

#[test]
fn a_user_without_the_right_to_info_is_an_alarm() {
    let pair = Pair::new(Version::Own);
    ask(pair.a(), &["ACL", "SETUSER", "default", "-info"]);
    let ran = run(pair.a(), "check_redis", &["-v"]);
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    assert!(ran.said.contains("NOPERM"), "the check is blind and says only: {}", ran.said);
}

#[test]
fn a_peer_whose_password_differs_is_not_taken_for_dead() {
    let pair = Pair::new(Version::Own);
    run(pair.b(), "check_redis", &["--eligible"]);
    ask(pair.a(), &["CONFIG", "SET", "requirepass", "another"]);
    pair.vip(pair.b());
    let _master = start(pair.b(), "redis_master");
    let said = || journal(pair.b()).contains("WRONGPASS");
    wait::until("it says why", SOON, said).unwrap_or_else(|error| panic!("{error}\n{}", journal(pair.b())));
    // Whether it serves or not: it must not say that the peer is gone.
    assert!(!journal(pair.b()).contains("is gone: it says"), "{}", journal(pair.b()));
}

#[test]
fn a_missing_masterauth_is_named_as_the_likely_cause() {
    let pair = Pair::new(Version::Own);
    ask(pair.a(), &["CONFIG", "SET", "masterauth", ""]);
    pair.vip(pair.b());
    assert_eq!(run(pair.b(), "redis_master", &[]).code, Some(0));
    assert_eq!(pair.write_through_vip("after"), "OK");
    let _backup = start(pair.a(), "redis_backup");
    let said = || journal(pair.a()).contains("masterauth");
    wait::until("it says so", 3 * SOON, said).unwrap_or_else(|error| panic!("{error}\n{}", pair.story()));
    let lines = journal(pair.a()).lines().count();
    assert!(lines < 15, "{lines} lines while it waits\n{}", pair.story());
}

/// The least rights that a whole life needs: checks, handovers, following with and without a rollback file.
const LEAST: &[&str] = &[
    "+ping",
    "+info",
    "+slaveof",
    "+client|pause",
    "+client|unpause",
    "+client|kill",
    "+config|rewrite",
    "+sync",
    "+function|load",
    "+fcall_ro",
];

fn with_rights(rights: &[&str]) -> Pair {
    let pair = Pair::with(Version::Own, "username = \"ha\"\n[rollback]\nmode = \"always\"");
    for host in [pair.a(), pair.b()] {
        let password = format!(">{PASSWORD}");
        let mut command = vec!["ACL", "SETUSER", "ha", "reset", "on", &password];
        command.extend(rights);
        assert_eq!(ask(host, &command).text(), "OK");
    }
    pair
}

/// What goes wrong in a whole life with these rights.
fn life(rights: &[&str]) -> Result<(), String> {
    let pair = with_rights(rights);
    for (to, from) in [(pair.b(), pair.a()), (pair.a(), pair.b())] {
        pair.vip(to);
        let ran = run(to, "redis_master", &[]);
        if ran.code != Some(0) || ran.said.contains("NOPERM") {
            return Err(ran.said);
        }
        let ran = run(from, "redis_backup", &[]);
        if ran.code != Some(0) || ran.said.contains("NOPERM") {
            return Err(ran.said);
        }
        for host in [to, from] {
            for form in ["-v", "--eligible"] {
                let ran = run(host, "check_redis", &[form]);
                if ran.code != Some(0) || ran.said.contains("NOPERM") || ran.said.contains("unknown") {
                    return Err(ran.said);
                }
            }
        }
    }
    let term = ask(pair.a(), &["FCALL_RO", "keepalived_redis_term", "0"]).text();
    if !term.starts_with("2 ") {
        return Err(format!("the second handover has not seen the first one's term: {term}"));
    }
    // A lone master beside the serving one: kept in a file, then it follows.
    ask(pair.b(), &["SLAVEOF", "NO", "ONE"]);
    ask(pair.b(), &["SET", "only-here", "1"]);
    let mut backup = start(pair.b(), "redis_backup");
    let denied = || journal(pair.b()).lines().rev().take(3).any(|line| line.contains("NOPERM"));
    let clock = Instant::now();
    while backup.is_at_work() && clock.elapsed() < Duration::from_secs(12) {
        if denied() {
            return Err(journal(pair.b()));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    match journal(pair.b()).contains("kept the local data") && info(pair.b(), "role").as_deref() == Some("slave") {
        true => Ok(()),
        false => Err(journal(pair.b())),
    }
}

#[test]
fn the_least_rights_are_enough_for_a_whole_life() {
    life(LEAST).unwrap_or_else(|said| panic!("{said}"));
}

#[test]
fn a_local_redis_behind_a_unix_socket_is_checked_and_moved() {
    let pair = Pair::new(Version::Own);
    let socket = "local = \"unix:/run/redis.sock\"\n";
    for host in [pair.a(), pair.b()] {
        lab::redis_server::stop(host).expect("stopped");
        let conf = host.file("/etc/redis/redis.conf");
        let text = std::fs::read_to_string(&conf).expect("redis.conf");
        std::fs::write(&conf, format!("{text}\nunixsocket /run/redis.sock\n")).expect("written");
        host.write(CONFIG, &format!("{socket}{}", pair.config("")), 0o644).expect("written");
        pair.start_redis(host);
    }
    pair.until_linked(pair.b());
    let ran = run(pair.a(), "check_redis", &["-v"]);
    assert!(ran.code == Some(0) && ran.said.contains("unix:/run/redis.sock"), "{}", ran.said);
    pair.vip(pair.b());
    let ran = run(pair.b(), "redis_master", &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    pair.until_serves(pair.b());
    assert_eq!(run(pair.a(), "redis_backup", &[]).code, Some(0));
}

#[test]
fn nodes_and_vip_of_ipv6_work_like_those_of_ipv4() {
    let pair = Pair::new(Version::Own);
    let config = "nodes = [\"[fd00::11]:6379\", \"[fd00::12]:6379\"]\nvip = \"fd00::13\"\n[auth]\n\
                  password_file = \"/etc/keepalived/redis.pass\"\n";
    let add = |host: &lab::host::Host, address: &str| {
        let out = host.sh(&format!("ip addr add {address}/64 dev eth0 nodad")).expect("a shell");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    };
    for (host, address) in [(pair.a(), "fd00::11"), (pair.b(), "fd00::12")] {
        add(host, address);
        host.write(CONFIG, config, 0o644).expect("written");
    }
    let ran = run(pair.b(), "redis_backup", &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    assert_eq!(info(pair.b(), "master_host").as_deref(), Some("fd00::11"));
    add(pair.b(), "fd00::13");
    let ran = run(pair.b(), "redis_master", &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    assert!(ran.said.contains("took the role over from [fd00::11]:6379"), "{}", ran.said);
    assert_eq!(info(pair.a(), "master_host").as_deref(), Some("fd00::12"));
    let ran = run(pair.a(), "redis_backup", &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.said);
}

#[test]
fn a_vip_that_this_machine_does_not_have_is_said_by_redis_master() {
    let pair = Pair::new(Version::Own);
    for host in [pair.a(), pair.b()] {
        let wrong = pair.config("").replace("192.168.158.13", "192.168.158.99");
        host.write(CONFIG, &wrong, 0o644).expect("written");
    }
    pair.vip(pair.b());
    let ran = run(pair.b(), "redis_master", &[]);
    assert!(
        ran.said.contains("192.168.158.99"),
        "the VIP in the configuration is wrong, and nobody says so: {}",
        ran.said
    );
}

#[test]
fn nodes_with_different_ports_find_out_who_holds_the_vip() {
    let pair = Pair::new(Version::Own);
    // b's Redis listens on 6380 as well; in the configuration that is its address.
    let text = pair.config("").replace("158.12:6379", "158.12:6380");
    lab::redis_server::kill(pair.b()).expect("killed");
    pair.b().sh("sed -i 's/^port 6379/port 6380/' /etc/redis/redis.conf").expect("sed");
    pair.b().spawn("redis-server", &["/etc/redis/redis.conf"]).expect("started");
    for host in [pair.a(), pair.b()] {
        host.write(CONFIG, &text, 0o644).expect("written");
    }
    let listens = || pair.b().sh("ss -ltn | grep -q :6380").is_ok_and(|out| out.status.success());
    wait::until("it listens", SOON, listens).expect("it listens");
    let set = |command: &str| {
        let mut client = pair.b().command("redis-cli").expect("a command");
        client.env("REDISCLI_AUTH", PASSWORD).args(["-p", "6380"]).args(command.split(' '));
        let answer = client.output().expect("redis-cli");
        assert_eq!(String::from_utf8_lossy(&answer.stdout).trim(), "OK", "{command}");
    };
    set("SLAVEOF NO ONE");
    set("SET only-on-b 1");
    pair.vip(pair.b());
    let ran = run(pair.a(), "check_redis", &[]);
    assert_eq!(ran.code, Some(1), "a lone master beside the one that serves: {}", ran.said);
}
