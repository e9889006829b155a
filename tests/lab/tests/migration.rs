//! The steps of docs/migrate.md, as they stand there, on a pair that runs on the old scripts and is
//! being written to.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::host::Host;
use lab::lab::Lab;
use lab::redis_server::PASSWORD;
use lab::run::{Goal, Run, usual_lab};
use lab::suite::Suite;
use lab::trial::is_whole;
use lab::writer::Rate;
use lab::{keepalived, redis_server};

const PAGE: &str = include_str!("../../../docs/migrate.md");
const LIMIT: Duration = Duration::from_secs(60);

/// The commands of the page, one after the other, for one host or for both.
struct Block {
    on: &'static str,
    commands: Vec<String>,
}

/// What has to be typed of the section "The steps", in its order: the blocks that say on which
/// host.
fn blocks() -> Vec<Block> {
    let steps = PAGE
        .split("\n## ")
        .find_map(|section| section.strip_prefix("The steps\n"))
        .expect("the steps");
    let steps = steps.split("\n### ").next().unwrap_or_default();
    let fences = steps.split("```").skip(1).step_by(2);
    let marked =
        fences.filter_map(|fence| fence.trim_start_matches("sh").trim().strip_prefix("# on "));
    let block = |text: &'static str| {
        let (on, commands) = text.split_once('\n').expect("commands behind the mark");
        let whole = commands.replace("\\\n", " ");
        Block {
            on,
            commands: whole
                .lines()
                .map(|line| line.trim().replace("sudo ", ""))
                .collect(),
        }
    };
    marked.map(block).collect()
}

/// What a person types is typed here, what needs systemd is done by the lab.
fn type_in(lab: &Lab, host: &Arc<Host>, command: &str) -> Result<()> {
    let (command, _) = command.split_once("      #").unwrap_or((command, ""));
    match command {
        // The password is in the environment already, and in a file.
        c if c.starts_with("read -rs") || c.contains("cat > /root/redis.pass") => return Ok(()),
        c if c.starts_with("./install.sh --nodes") => {
            return if host.name == lab.a().name {
                Suite::OURS.install(lab)
            } else {
                Ok(())
            };
        }
        "systemctl stop keepalived" => return keepalived::stop(host),
        "systemctl start keepalived" => return Suite::OURS.start_keepalived(host),
        _ => {}
    }
    if let Some((first, then)) = command.split_once(" && ") {
        type_in(lab, host, first)?;
        return type_in(lab, host, then);
    }
    host.tell(command);
    let out = host
        .command("timeout")?
        .args(["60", "bash", "-c", command])
        .env("REDISCLI_AUTH", PASSWORD)
        .output()?;
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr)
    );
    ensure!(
        out.status.success() || command.starts_with("while "),
        "{command} on {}: {said}",
        host.name
    );
    ensure!(
        !command.contains(" CONFIG ") || said.trim() == "OK",
        "{command} on {}: {said}",
        host.name
    );
    Ok(())
}

fn follow(lab: &Lab, block: &Block) -> Result<()> {
    let named = |host: &&Arc<Host>| block.on == "both" || block.on == host.name;
    for command in &block.commands {
        for host in lab.hosts.iter().filter(named) {
            type_in(lab, host, command)
                .with_context(|| format!("what docs/migrate.md says on {}", block.on))?;
        }
    }
    Ok(())
}

#[test]
fn a_pair_on_the_old_scripts_becomes_ours_by_the_page_and_loses_nothing() {
    let blocks = blocks();
    let [before @ .., backup, master] = &blocks[..] else {
        panic!("no steps on the page")
    };
    assert_eq!(
        (backup.on, master.on),
        ("redis-b", "redis-a"),
        "the backup comes first"
    );
    assert!(
        before.len() >= 4 && before.iter().all(|block| block.on == "both"),
        "a step is missing"
    );

    let lab = usual_lab().expect("a lab can be set up (root?)");
    let (a, b) = (lab.a(), lab.b());
    let mut run = Run::start(&lab, Suite::Scripts, Rate::PerSecond(200))
        .expect("the pair comes up on the scripts");
    let prepare = || before.iter().try_for_each(|block| follow(&lab, block));
    run.phase("preparing", LIMIT, Goal::Serves(a), prepare)
        .expect("steps 1 to 3");
    run.suite = Suite::OURS;
    run.phase("the backup", LIMIT, Goal::Promoted(b), || {
        follow(&lab, backup)
    })
    .expect("step 4");
    run.phase("the master", LIMIT, Goal::Serves(a), || {
        follow(&lab, master)
    })
    .expect("step 5");
    run.phase("failover", LIMIT, Goal::ServesAlone(b), || {
        redis_server::kill(a)
    })
    .expect("it is played");
    run.phase("failback", LIMIT, Goal::Serves(a), || {
        redis_server::start(a)
    })
    .expect("it is played");
    let record = run.finish("migration").expect("all is read back");
    println!("{record}");
    is_whole(&record);
    for step in ["the backup", "the master"] {
        assert!(
            record.gap(step) < Duration::from_secs(2),
            "an outage in the middle of {step}: {record}"
        );
    }
}
