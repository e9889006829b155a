//! What is kept of a round, and where.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::ValueEnum;
use clap::builder::PossibleValue;

use super::Orders;
use super::plan::Round;
use crate::lab::Lab;
use crate::story::{self, Event};
use crate::suite::Suite;

const TIMELINE: &str = "timeline.txt";

/// Tells the story of a failure and keeps what there is to see.
pub fn report(
    orders: &Orders,
    lab: &Lab,
    from: Duration,
    round: &Round,
    keep: bool,
    say: &dyn Fn(&str),
) {
    let of_round = |event: &Event| event.at + Duration::from_secs(1) >= from;
    let mut told = lab.told(false);
    told.retain(of_round);
    say(&story::render(&told));
    let name = |value: Option<PossibleValue>| {
        value.map_or(String::new(), |value| value.get_name().to_owned())
    };
    say(&format!(
        "again: lab campaign --seed {} --only {} --boot {} --persistence {} --rate {} --megabytes \
         {} --client {}{}{}",
        orders.seed,
        round.number,
        name(orders.settings.boot.to_possible_value()),
        name(orders.settings.persistence.to_possible_value()),
        orders.rate,
        orders.megabytes,
        name(orders.client.to_possible_value()),
        if orders.wide { " --wide" } else { "" },
        if orders.suite == Suite::FAST {
            " --fast"
        } else {
            ""
        }
    ));
    if keep {
        match evidence(orders, lab, round) {
            Ok(dir) => say(&format!("disks, logs and timeline: {}", dir.display())),
            Err(e) => say(&format!("the evidence could not be kept: {e:#}")),
        }
    }
}

/// Keeps the timeline of a round that is no failure.
pub fn quiet(orders: &Orders, lab: &Lab, round: &Round, say: &dyn Fn(&str)) {
    match timeline(orders, lab, round) {
        Ok(dir) => say(&format!("the timeline: {}", dir.join(TIMELINE).display())),
        Err(e) => say(&format!("the timeline could not be kept: {e:#}")),
    }
}

/// Writes the timeline to where it outlives the lab.
fn timeline(orders: &Orders, lab: &Lab, round: &Round) -> Result<PathBuf> {
    let name = format!(
        "lab-campaign-{}-{}-{}",
        orders.seed,
        round.number,
        std::process::id()
    );
    let dir = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&dir)?;
    std::fs::write(dir.join(TIMELINE), story::render(&lab.told(true)))?;
    Ok(dir)
}

/// Copies what the hosts have on their disks, and the timeline.
fn evidence(orders: &Orders, lab: &Lab, round: &Round) -> Result<PathBuf> {
    let dir = timeline(orders, lab, round)?;
    // Files may vanish while they are copied: the pair lives.
    let copied = Command::new("cp")
        .arg("-a")
        .arg(lab.dir())
        .arg(dir.join("hosts"))
        .output()?;
    ensure!(
        dir.join("hosts").is_dir(),
        "{}",
        String::from_utf8_lossy(&copied.stderr)
    );
    Ok(dir)
}
