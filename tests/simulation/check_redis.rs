//! Models `src/programs/check_redis/mod.rs`, with and without `--eligible`.

use std::time::Duration;

use super::data::Millis;
use super::program::Program;
use super::world::address;
use crate::decide::pair::reign::Due;
use crate::decide::pair::{self, Reign};
use crate::decide::view::{View, Vip};
use crate::node::memory::{Lacking, Outdated};
use crate::node::vrrp_state::VrrpState;
use crate::server::failure::Failure;
use crate::server::info::{Observation, Role};

const DEADLINE: Millis = 400;
const SECOND_LOOK: Millis = 50;
const ORPHANED: Millis = 8000;
const UNREPAIRED: Millis = 5000;

/// One run of a check that the keepalived `instance` started.
pub async fn run(mut program: Program, instance: u64, is_eligible: bool) {
    let (ok, why) = if is_eligible {
        eligible(&mut program).await
    } else {
        health(&mut program).await
    };
    program
        .world
        .borrow_mut()
        .checked(program.node, instance, is_eligible, ok, &why);
}

async fn eligible(program: &mut Program) -> (bool, String) {
    let view = program.look(false).await;
    remember(program, &view);
    notice_age(program, &view);
    uphold(program, &view).await;
    let found = pair::eligibility(&view);
    (found.eligible, found.why)
}

fn notice_age(program: &Program, view: &View) {
    let Some(master) = pair::cut_off_from(view) else {
        return;
    };
    let mut world = program.world.borrow_mut();
    let ticket = world.ticket(program.node);
    let is_backup = ticket.is_some_and(|ticket| ticket.state == VrrpState::Backup);
    let down = world.spell(program.node, "link down", is_backup);
    if Duration::from_millis(down) < pair::AGED {
        return;
    }
    let memory = &mut world.nodes[program.node].memory;
    memory.synced = None;
    let refused = matches!(view.seen(master), Some(Err(Failure::Refused)));
    if memory.outdated.is_none() && !refused {
        memory.outdated = Some(Outdated {
            node: master,
            why: Lacking::Link,
            at: String::new(),
        });
    }
}

/// As `programs::check_redis::reign::uphold`.
async fn uphold(program: &Program, view: &View) {
    let ticket = program.world.borrow().ticket(program.node);
    let at_work = ticket.is_some_and(|ticket| program.world.borrow().is_at_work(&ticket));
    if at_work || program.world.borrow().nodes[program.node].acting.is_some() {
        return;
    }
    let Some(due) = pair::reign::due(view).filter(|_| program.world.borrow().setup.terms) else {
        return;
    };
    let local = view.local.seen.as_ref().ok();
    let replid = local.map_or("", |seen| &seen.replication.lineage.replid);
    program.tell(|| format!("check_redis: {due:?}"));
    match due {
        Due::Again(term, _) => program.put_term(view, program.node, term).await,
        Due::New(_) => {
            program
                .write_term(view, Reign::Sure, program.node, replid)
                .await
        }
    }
}

async fn health(program: &mut Program) -> (bool, String) {
    let seen = match program.ask(program.node).await {
        Ok(seen) if seen.loading => return (false, "loading".to_string()),
        Ok(seen) => seen,
        Err(Failure::Denied(_)) => return (true, String::new()),
        Err(failure) => return (false, failure.to_string()),
    };
    program
        .world
        .borrow_mut()
        .seen_alive(program.node, &seen.run_id);
    match wrong_role(program, &seen).await {
        Some(wrong) => (false, wrong),
        None => (true, String::new()),
    }
}

async fn wrong_role(program: &mut Program, seen: &Observation) -> Option<String> {
    if !may_be_wrong(program, seen) {
        program
            .world
            .borrow_mut()
            .spell(program.node, "orphaned", false);
        program
            .world
            .borrow_mut()
            .spell(program.node, "unrepaired", false);
        return None;
    }
    let view = program.look(true).await;
    remember(program, &view);
    judge(program, &view)?;
    if program.now() + SECOND_LOOK >= program.started + DEADLINE {
        // With no time left for a second look the next run has to confirm it.
        return None;
    }
    program.pause(SECOND_LOOK).await;
    let view = program.look(true).await;
    judge(program, &view)
}

fn may_be_wrong(program: &Program, seen: &Observation) -> bool {
    let world = program.world.borrow();
    let node = &world.nodes[program.node];
    match &seen.replication.role {
        Role::Master => !node.keepalived.vip,
        Role::Replica(_) if node.keepalived.vip => true,
        Role::Replica(following) => {
            let known = world.nodes.len() == 2
                && (0..2).any(|index| following.address() == Some(address(index)));
            let synced = node
                .memory
                .synced
                .as_ref()
                .is_some_and(|synced| synced.run_id == seen.run_id);
            !(known && following.link_up && synced)
        }
    }
}

fn judge(program: &Program, view: &View) -> Option<String> {
    let here = view.vip == Vip::Here;
    let mut world = program.world.borrow_mut();
    let ticket = world.ticket(program.node);
    let at_work = ticket.is_some_and(|ticket| {
        (ticket.state == VrrpState::Master) == here && world.is_at_work(&ticket)
    });
    let wrong = pair::wrong_role(view, at_work);
    let coming = here && !ticket.is_some_and(|ticket| ticket.state == VrrpState::Master);
    let orphaned = world.spell(program.node, "orphaned", wrong.is_some() && coming);
    let wrong = wrong.filter(|_| !coming || orphaned >= ORPHANED);
    let unrepaired = world.spell(program.node, "unrepaired", wrong.is_some()) % (2 * UNREPAIRED);
    wrong.filter(|_| unrepaired < UNREPAIRED)
}

/// Keeps `synced` up to date, so that a node knows its worth when the peer dies.
fn remember(program: &Program, view: &View) {
    let (Ok(local), Some((peer, master))) = (&view.local.seen, view.serving_peer()) else {
        return;
    };
    if !local.follows(peer) {
        return;
    }
    match pair::in_sync(local, master, view.max_lag) {
        Ok(()) => program.remember_synced(local, peer),
        Err(_) if pair::in_sync(local, master, u64::MAX).is_err() => {
            program.world.borrow_mut().nodes[program.node].memory.synced = None;
        }
        Err(_) => {}
    }
}
