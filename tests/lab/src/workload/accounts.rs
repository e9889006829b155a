//! What became of the workload's acknowledged steps, looked up again and again.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use super::history::{Life, Missing, Object, Seen, credit, judge};
use super::look::look;
use super::{WORKERS, Workload};
use crate::lab::Lab;
use crate::readback;

/// What is lost is asked for again after this, for the pair may move the role at that very moment.
const AGAIN: Duration = Duration::from_secs(2);
/// So many steps of an object are told.
const TOLD: usize = 12;

type Id = (u16, u16);

/// The accounts of one workload.
#[derive(Debug, Default)]
pub struct Accounts {
    /// Objects that were found missing before.
    retired: BTreeSet<(Id, Object)>,
    /// Steps that were counted as missing.
    counted: BTreeSet<(Id, u64)>,
    archived: usize,
}

/// What one look found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Steps that are missing since this look, but in a rollback file.
    pub in_files: usize,
    /// Missing since this look, and nowhere.
    pub lost: usize,
    /// A sentence for each object of which something is lost.
    pub told: Vec<String>,
}

impl Accounts {
    /// Holds the workload, and looks at every object that was not found missing before: in the
    /// service, and what is missing there in the rollback files of all hosts. Files that hold steps
    /// of an object that is missing are copied to `archive`. No program may be at work.
    ///
    /// # Errors
    /// Where nobody can be asked, or a file can't be read.
    pub fn check(&mut self, lab: &Lab, workload: &Workload, archive: &Path) -> Result<Found> {
        let _held = workload.hold();
        let lives = workload.lives();
        let mut verdict = self.look(lab, &lives, archive)?;
        if verdict.iter().any(|(_, missing)| !missing.lost.is_empty()) {
            std::thread::sleep(AGAIN);
            verdict = self.look(lab, &lives, archive)?;
        }
        let mut found = Found::default();
        for (life, missing) in &verdict {
            let id = (life.worker, life.number);
            self.retired.insert((id, missing.object));
            found.lost += self.count(id, &missing.lost);
            if !missing.lost.is_empty() {
                found.told.push(sentence(life, missing));
            }
            tell(lab, life, missing);
        }
        // Afterwards, for a step that is lost to one object of two is lost.
        for (life, missing) in &verdict {
            found.in_files += self.count((life.worker, life.number), &missing.in_files);
        }
        if !verdict.is_empty() {
            workload.begin_anew();
        }
        Ok(found)
    }

    /// How many of these steps were not counted before.
    fn count(&mut self, id: Id, numbers: &[u64]) -> usize {
        let new = |number: &&u64| self.counted.insert((id, **number));
        numbers.iter().filter(new).count()
    }

    fn look<'a>(
        &mut self,
        lab: &Lab,
        lives: &'a [Life],
        archive: &Path,
    ) -> Result<Vec<(&'a Life, Missing)>> {
        let (service, _) = readback::of_service(lab, |redis| look(redis, lives, WORKERS))?;
        let none = vec![Vec::new(); lives.len()];
        let verdict = self.judge_all(lives, &service, &none);
        if verdict.is_empty() {
            return Ok(verdict);
        }
        let mut files = none;
        for file in readback::files(lab) {
            let mut shown = readback::of_file(&file, lab.settings.server, |redis| {
                look(redis, lives, WORKERS)
            })?;
            let concerns = verdict.iter().any(|(life, _)| {
                let at = lives.iter().position(|other| std::ptr::eq(other, *life));
                at.and_then(|at| shown.get(at))
                    .is_some_and(|seen| seen.mark > 0)
            });
            credit(lives, &mut shown);
            if concerns {
                self.keep(&file, archive)?;
            }
            for (of_life, seen) in files.iter_mut().zip(shown) {
                of_life.push(seen);
            }
        }
        Ok(self.judge_all(lives, &service, &files))
    }

    fn judge_all<'a>(
        &self,
        lives: &'a [Life],
        service: &[Seen],
        files: &[Vec<Seen>],
    ) -> Vec<(&'a Life, Missing)> {
        let mut all = Vec::new();
        for ((life, service), files) in lives.iter().zip(service).zip(files) {
            let id = (life.worker, life.number);
            let new = |missing: &Missing| !self.retired.contains(&(id, missing.object));
            let missing = judge(life, service, files).into_iter().filter(new);
            all.extend(missing.map(|missing| (life, missing)));
        }
        all
    }

    fn keep(&mut self, file: &Path, archive: &Path) -> Result<()> {
        let copy = |to: PathBuf| std::fs::copy(file, &to).context(file.display().to_string());
        self.archived += 1;
        copy(archive.join(format!("workload-{}.rdb", self.archived)))?;
        Ok(())
    }
}

/// Which object it is, what it shows, and what was acknowledged after that.
fn sentence(life: &Life, missing: &Missing) -> String {
    let steps = life.steps.iter().filter(|step| {
        step.effects
            .iter()
            .any(|(object, _)| *object == missing.object)
    });
    let stands_at = missing.stands_at.unwrap_or_default();
    let after: Vec<String> = steps
        .filter(|step| step.number > stands_at)
        .map(|step| {
            let state = step
                .effects
                .iter()
                .find(|(object, _)| *object == missing.object);
            let state = state
                .map(|(_, state)| state.to_string())
                .unwrap_or_default();
            let doubt = if step.acknowledged {
                ""
            } else {
                ", not answered"
            };
            let at = step.at.as_secs_f64();
            format!(
                "{at:.3} `{}` (step {}): {state}{doubt}",
                step.command, step.number
            )
        })
        .collect();
    let left_out = after.len().saturating_sub(TOLD);
    let stands = match missing.stands_at {
        Some(number) => format!("as after step {number}"),
        None => "which it never was".to_owned(),
    };
    format!(
        "{} of worker {}, life {}: the service shows {}, {stands}; {} acknowledged steps on it are \
         lost, {} only in files: {}{}",
        missing.object,
        life.worker,
        life.number,
        missing.seen,
        missing.lost.len(),
        missing.in_files.len(),
        if left_out > 0 { "... " } else { "" },
        after[left_out..].join(" | "),
    )
}

/// Into the story: at the first missing step, and at the last.
fn tell(lab: &Lab, life: &Life, missing: &Missing) {
    for (numbers, what) in [
        (&missing.lost, "lost"),
        (&missing.in_files, "in a rollback file only"),
    ] {
        let at = |number: &u64| life.steps.iter().find(|step| step.number == *number);
        let (Some(first), Some(last)) = (numbers.first().and_then(at), numbers.last().and_then(at))
        else {
            continue;
        };
        let text = format!("acknowledged here, {what}: {}", sentence(life, missing));
        lab.story.add_at(first.at, "client", "missing", text);
        if numbers.len() > 1 {
            let (object, worker, number) = (missing.object, life.worker, last.number);
            let text = format!("the last of these, step {number}: {object} of worker {worker}");
            lab.story.add_at(last.at, "client", "missing", text);
        }
    }
}
