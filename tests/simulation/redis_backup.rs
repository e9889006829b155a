//! Models `src/programs/redis_backup/mod.rs`, which redis_fault runs as well, and
//! `src/programs/redis_stop.rs`.

use crate::decide::pair;
use std::time::Duration;

use super::data::Millis;
use super::handover::observed;
use super::processes::{Taken, step};
use super::program::{Ended, Program, Trouble};
use super::server::Command;
use super::world::address;
use crate::decide::pair::{Reign, Step};
use crate::decide::view::View;
use crate::node::vrrp_state::VrrpState;
use crate::server::failure::Failure;

const GRACE: Duration = Duration::from_secs(5);
const SOON: Millis = 50;
const LATER: Millis = 1000;
const WATCH: Millis = 700;

/// One run of redis_backup or redis_fault.
pub async fn notified(mut program: Program, state: VrrpState) {
    step().await;
    let taken = program
        .world
        .borrow_mut()
        .take_turn(program.node, program.me, state);
    let Taken::Mine(_) = taken else { return };
    program.tell(|| format!("the program for {state} is at work"));
    if state == VrrpState::Fault
        && matches!(program.ask(program.node).await, Err(failure) if !is_denial(&failure))
    {
        program.world.borrow_mut().seen_dead(program.node);
    }
    let ended = work(&mut program).await;
    program.tell(|| format!("the program for {state} ends: {ended:?}"));
    program
        .world
        .borrow_mut()
        .finish_turn(program.node, program.me);
}

fn is_denial(failure: &Failure) -> bool {
    matches!(failure, Failure::Denied(_))
}

async fn work(program: &mut Program) -> Result<(), Ended> {
    let mut said = String::new();
    loop {
        program.check_turn()?;
        let view = program.look(true).await;
        let waited = program.unchanged_for(&view);
        let next = pair::yield_role(&view, waited, GRACE);
        let kind = format!("{next:?}")
            .chars()
            .filter(|c| !c.is_ascii_digit())
            .collect();
        if kind != said {
            program.tell(|| format!("yields: {next:?}"));
            said = kind;
        }
        let taken = match &next {
            Step::Done(_) => {
                if let (Ok(seen), Some((peer, _))) = (&view.local.seen, view.serving_peer()) {
                    program.remember_synced(seen, peer);
                }
                let _ = program.order(program.node, Command::Rewrite).await;
                return Ok(());
            }
            Step::Follow { peer, why, .. } => program.follow(&view, *peer, why).await,
            Step::GiveUp(peer, _) => give_up(program, &view, *peer).await,
            _ => Ok(()),
        };
        match taken {
            Err(Trouble::Ended) => return Err(Ended),
            Err(Trouble::Failed(why)) => program.tell(|| format!("yields: {why}")),
            Ok(()) => {}
        }
        let long = if waited < Duration::from_secs(30) {
            SOON
        } else {
            LATER
        };
        let until = program.now() + long;
        while program.now() < until {
            program.pause(1).await;
            program.check_turn()?;
        }
    }
}

async fn give_up(
    program: &mut Program,
    view: &View,
    peer: std::net::SocketAddr,
) -> Result<(), Trouble> {
    observed(view, address(program.node))?;
    let taker = program
        .world
        .borrow()
        .resolve(program.node, peer)
        .unwrap_or(program.node);
    let acting = program.act().await?;
    let replid = program.swap(program.node, taker).await?;
    program.forget_served();
    program.write_term(view, Reign::Sure, taker, &replid).await;
    let _ = program.order(program.node, Command::Rewrite).await;
    let _ = program.order(taker, Command::Rewrite).await;
    drop(acting);
    program.bring_along(peer).await?;
    Ok(())
}

/// One run of redis_stop: it only watches.
pub async fn stopped(program: Program) {
    step().await;
    let taken = program
        .world
        .borrow_mut()
        .take_turn(program.node, program.me, VrrpState::Stop);
    let Taken::Mine(_) = taken else { return };
    program.world.borrow_mut().nodes[program.node].life = None;
    let until = program.started + WATCH;
    while program.now() < until && program.check_turn().is_ok() {
        match program.ask(program.node).await {
            Ok(seen) if seen.is_master() => program.pause(1).await,
            Ok(_) => {
                program.forget_served();
                break;
            }
            Err(_) => break,
        }
    }
    program
        .world
        .borrow_mut()
        .finish_turn(program.node, program.me);
}
