//! The fault campaign: a pair under load is hurt in rounds of overlapping faults, healed, and asked
//! for every acknowledged write.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use crate::clients::{self, Clients};
use crate::lab::Lab;
use crate::redis_server::Settings;
use crate::suite::Suite;
use crate::writer::Rate;

pub(crate) mod dice;
mod evidence;
mod field;
mod hunt;
mod kind;
mod ledger;
mod meddle;
mod pair;
mod place;
mod plan;
mod round;
mod tally;

use ledger::Ledger;
pub use plan::{Round, plan, wide_plan};
pub use tally::{Outcome, Tally};

/// A pair that takes longer to settle has its timeline kept, though it is no failure.
const SLOW: Duration = Duration::from_secs(25);
/// So many failures leave their evidence.
const EVIDENCE: usize = 12;

/// What is wanted.
#[derive(Clone, Debug)]
pub struct Orders {
    /// Everything that is random comes from this number.
    pub seed: u64,
    /// The rounds to play.
    pub rounds: Vec<Round>,
    /// They come from [`wide_plan`].
    pub wide: bool,
    /// How Redis is set up.
    pub settings: Settings,
    /// Ours, in one of its profiles.
    pub suite: Suite,
    /// Who writes.
    pub client: clients::Kind,
    /// Writes a second, of each client.
    pub rate: u32,
    /// The data begins with so many megabytes, so that copies and rollback files take their time.
    pub megabytes: usize,
    /// End at the first failure.
    pub stop_at_first: bool,
    /// Keep the timeline of every round.
    pub timelines: bool,
    /// A file that gets a line a round, for [`Tally::read`].
    pub record: Option<PathBuf>,
    /// No rollback files: the campaign must then find losses.
    pub keep_nothing: bool,
}

/// Plays the rounds. `say` gets a line a round, and the story of each failure.
///
/// # Errors
/// Where the lab itself fails; losses are no error but in the tally.
pub fn campaign(orders: &Orders, say: &dyn Fn(&str)) -> Result<Tally> {
    let mut tally = Tally::default();
    let mut rounds = orders.rounds.iter().peekable();
    let mut again = 0;
    while rounds.peek().is_some() {
        let lab = pair::bring_up(orders)?;
        let clients = lab.write_as(orders.client, Rate::PerSecond(orders.rate));
        let mut ledger = Ledger::new(&lab)?;
        let mut usable = true;
        while usable && let Some(round) = rounds.next() {
            let from = lab.story.now();
            let outcome = round::play(&lab, orders.suite, &clients, &mut ledger, round)?;
            if let Some(file) = &orders.record {
                let mut file = OpenOptions::new().create(true).append(true).open(file)?;
                file.write_all(outcome.line().as_bytes())?;
            }
            say(&format!(
                "{}  {round} | {outcome}",
                chrono::Local::now().format("%H:%M:%S")
            ));
            usable = outcome.settled.is_some();
            outcome
                .told
                .iter()
                .for_each(|told| say(&format!("    {told}")));
            let good = outcome.is_good();
            if good && (orders.timelines || outcome.settled.is_some_and(|took| took > SLOW)) {
                evidence::quiet(orders, &lab, round, say);
            }
            tally.0.push(outcome);
            if !good {
                again += 1;
                // Losses that were ordered are no news.
                let keep = again <= EVIDENCE && !orders.keep_nothing;
                evidence::report(orders, &lab, from, round, keep, say);
                if orders.stop_at_first {
                    return Ok(tally);
                }
            }
        }
        if usable {
            last_look(&lab, clients, &mut ledger, &mut tally, say)?;
        }
    }
    Ok(tally)
}

/// Ends the clients and asks for everything once more.
fn last_look(
    lab: &Lab,
    mut clients: Clients,
    ledger: &mut Ledger,
    tally: &mut Tally,
    say: &dyn Fn(&str),
) -> Result<()> {
    let added = clients.stop()?;
    let mut late = 0;
    if let Some(workload) = &clients.workload {
        let found = ledger.check(lab, &clients)?;
        found.told.iter().for_each(|told| say(told));
        late += found.lost;
        say(&format!(
            "at the end: {} lives of the workload, {} entries that a replica confirmed, {} steps \
             astray, {} lost since the last look",
            workload.lives().len(),
            workload.waited(),
            workload.astray().len(),
            found.lost
        ));
    }
    if let Some(written) = added {
        let fate = ledger.check_all(lab, &written)?;
        let (all, kept, lost) = (fate.acknowledged, fate.in_files.len(), fate.lost.len());
        say(&format!(
            "at the end: of {all} acknowledged writes {kept} are only in {} files, {lost} lost",
            fate.files.len()
        ));
        late += lost.saturating_sub(ledger.lost());
    }
    if late > 0
        && let Some(last) = tally.0.last_mut()
    {
        last.lost += late;
        last.wrong = Some("lost only at the end".to_owned());
    }
    Ok(())
}
