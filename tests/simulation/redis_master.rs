//! Models `src/programs/redis_master/mod.rs`.

use super::data::Millis;
use super::handover::observed;
use super::host::Delivery;
use super::processes::{Taken, step};
use super::program::{ALONE_AFTER, Ended, Program, Trouble};
use super::server::Command;
use super::world::{NOBODY, address};
use crate::decide::pair::{self, Reign, Step};
use crate::decide::view::{View, Vip};
use crate::node::vrrp_state::VrrpState;

const TICK: Millis = 20;
const HOLD: Millis = 1500;
const SYNC: Millis = 600_000;

/// One run of redis_master.
pub async fn notified(mut program: Program) {
    step().await;
    let here = program.world.borrow().nodes[program.node].keepalived.vip;
    if !here && matches!(program.look(true).await.vip, Vip::At(_)) {
        return;
    }
    let taken = program
        .world
        .borrow_mut()
        .take_turn(program.node, program.me, VrrpState::Master);
    let Taken::Mine(previous) = taken else { return };
    program.tell(|| "redis_master is at work".to_string());
    while program.world.borrow().nodes[program.node].delivery == Some(Delivery::Hung) {
        program.pause(1000).await;
    }
    let mut held = false;
    let ended = work(&mut program, previous == Some(VrrpState::Master), &mut held).await;
    if held {
        let _ = program.order(program.node, Command::Unpause).await;
    }
    program.tell(|| format!("redis_master ends: {ended:?}"));
    program
        .world
        .borrow_mut()
        .finish_turn(program.node, program.me);
}

async fn work(program: &mut Program, again: bool, held: &mut bool) -> Result<(), Ended> {
    let patience = program.now() + SYNC.max(ALONE_AFTER + 10_000);
    let mut said = String::new();
    loop {
        program.check_turn()?;
        let mut view = program.look(true).await;
        let waited = program.unchanged_for(&view);
        let mut next = pair::serve(&view, waited);
        if matches!(next, Step::Done(_)) {
            // An older program may be in the middle of a step that it is about to undo.
            drop(program.act().await?);
            view = program.look(true).await;
            next = pair::serve(&view, program.unchanged_for(&view));
        }
        let kind = format!("{next:?}")
            .chars()
            .filter(|c| !c.is_ascii_digit())
            .collect();
        if kind != said {
            program.tell(|| format!("redis_master: {next:?}"));
            said = kind;
        }
        if again && matches!(&next, Step::Done(_)) && knows_it_serves(&view) {
            return Ok(());
        }
        match take(program, &view, &next, held).await {
            Ok(true) => return Ok(()),
            Err(Trouble::Ended) => return Err(Ended),
            Err(Trouble::Failed(why)) => program.tell(|| format!("redis_master: {why}")),
            Ok(false) => {}
        }
        if program.now() >= patience {
            return Ok(());
        }
        program.pause(TICK).await;
    }
}

fn knows_it_serves(view: &View) -> bool {
    view.local
        .seen
        .as_ref()
        .is_ok_and(|seen| view.served_this_run(seen))
}

/// One step; true when the work is done.
async fn take(
    program: &mut Program,
    view: &View,
    next: &Step,
    held: &mut bool,
) -> Result<bool, Trouble> {
    let (node, local) = (program.node, address(program.node));
    match next {
        Step::Done(_) => {
            if std::mem::take(held) {
                let _ = program.order(node, Command::Unpause).await;
            }
            let seen = observed(view, local)?;
            let replid = seen.replication.lineage.replid.clone();
            let settled = knows_it_serves(view);
            if !settled {
                let _ = program.order(node, Command::Rewrite).await;
            }
            if seen
                .term
                .as_ref()
                .is_none_or(|term| term.node != local || term.replid != replid)
            {
                match view.pending_term(seen) {
                    Some(term) => program.put_term(view, node, term).await,
                    None => program.write_term(view, Reign::Sure, node, &replid).await,
                }
            }
            program.remember_served(&seen.run_id, &replid);
            if !settled {
                program.bring_along(local).await?;
            }
            Ok(true)
        }
        Step::Refuse(_) => Ok(true),
        Step::Wait(_) | Step::GiveUp(..) => Ok(false),
        Step::Hold(_) => {
            let until = program.now() + HOLD;
            *held |= program.order(node, Command::Pause(until)).await.is_ok();
            Ok(false)
        }
        Step::Promote(reign, _) => {
            if std::mem::take(held) {
                let _ = program.order(node, Command::Unpause).await;
            }
            let seen = observed(view, local)?;
            let acting = program.act().await?;
            let replid = program.promote(node).await?;
            program.write_term(view, *reign, node, &replid).await;
            program.remember_served(&seen.run_id, &replid);
            let _ = program.order(node, Command::Rewrite).await;
            drop(acting);
            program.bring_along(local).await?;
            Ok(true)
        }
        Step::TakeOver(peer, _) => {
            let seen = observed(view, local)?;
            let giver = program.world.borrow().resolve(node, *peer).unwrap_or(node);
            let acting = program.act().await?;
            let replid = program.swap(giver, node).await?;
            program.write_term(view, Reign::Sure, node, &replid).await;
            program.remember_served(&seen.run_id, &replid);
            let _ = program.order(node, Command::Rewrite).await;
            let _ = program.order(giver, Command::Rewrite).await;
            drop(acting);
            program.bring_along(local).await?;
            Ok(true)
        }
        Step::Raise(peer, _) => {
            let other = program.world.borrow().resolve(node, *peer).unwrap_or(node);
            let _acting = program.act().await?;
            let replid = program.promote(other).await?;
            program.write_term(view, Reign::Sure, other, &replid).await;
            Ok(false)
        }
        Step::Park(parked, _) => {
            let parked = program
                .world
                .borrow()
                .resolve(node, *parked)
                .unwrap_or(node);
            let _acting = program.act().await?;
            program
                .order(parked, Command::Slaveof(Some(NOBODY)))
                .await?;
            Ok(false)
        }
        Step::Follow { peer, why, .. } => program.follow(view, *peer, why).await.map(|()| false),
    }
}
