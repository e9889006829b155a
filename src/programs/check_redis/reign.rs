//! The check of the node that serves sees to the term in its data: a reign that goes on without a
//! node that had shared it is a new one; a term that was refused or erased is put back.

use super::ticket;
use crate::config::Config;
use crate::deadline::Deadline;
use crate::decide::pair::Reign;
use crate::decide::pair::reign::{Due, Stamp, due, next_term};
use crate::decide::view::View;
use crate::look::survey::Survey;
use crate::node::clock::now;
use crate::node::memory::{Pending, Store};
use crate::node::turn;
use crate::server::term::new_id;

/// Writes the term that is due, where one is and no program is at work on the roles. What was done,
/// or why it was not; `None` where nothing was due.
pub(super) fn uphold(
    config: &Config,
    survey: &mut Survey,
    view: &View,
    deadline: Deadline,
) -> Option<Result<String, String>> {
    let due = due(view)?;
    let ticket = ticket::read(&config.memory_dir).ok().flatten();
    if ticket.is_some_and(|ticket| ticket.is_at_work()) {
        return None;
    }
    let _acting = turn::act_now(&config.memory_dir)?;
    let local = view.local.up()?;
    let (term, why) = match due {
        Due::Again(term, why) => (term, why.to_string()),
        Due::New(why) => {
            let (id, at) = (new_id(), now());
            let replid = &local.replication.lineage.replid;
            let stamp = Stamp { id, at };
            let term = next_term(view, Reign::Sure, view.local.address, replid, stamp);
            (term, why)
        }
    };
    let pending = Pending {
        term: term.clone(),
        run_id: local.run_id.clone(),
    };
    let store = Store::new(&config.memory_dir);
    let kept = match &view.memory.pending {
        Some(known) if *known == pending => Ok(()),
        _ => store.set(&pending),
    };
    let budget = deadline.max(Deadline::after(config.timing.command));
    let server = survey.local();
    let written = server.and_then(|server| server.write_term(&term, local.version, budget));
    let (numbers, node) = (term.numbers(), view.local.address);
    match (written, kept) {
        // Neither functions nor a key.
        (Ok(false), _) => {
            let _ = store.clear::<Pending>();
            None
        }
        (Ok(true), Ok(())) => {
            let _ = store.clear::<Pending>();
            Some(Ok(format!("wrote term {numbers} into {node}: {why}")))
        }
        (Ok(true), Err(error)) => Some(Err(error.to_string())),
        (Err(failure), _) => Some(Err(format!(
            "writing term {numbers} into {node}: {failure}; until it stands, this node and one \
             that was away may not be told apart"
        ))),
    }
}
