//! Whether a Redis could log in to the one that it would follow.

use crate::console::doctor::finding::{Fact, Findings, Fix};
use crate::console::doctor::look::servers::{Login, Redises};
use crate::console::doctor::redis_cli::RedisCli;
use crate::server::failure::Failure;

pub(crate) fn judge(found: &mut Findings, login: &Login, redises: &Redises, cli: &RedisCli) {
    let Login {
        replica,
        master,
        user,
        has_password,
        outcome,
    } = login;
    let check = "masterauth";
    let failure = match outcome {
        Ok(()) => {
            return found.ok(
                check,
                Fact("R16"),
                format!("{replica} can log in to {master} with its masterauth"),
            );
        }
        Err(failure) => failure,
    };
    let Failure::Denied(denial) = failure else {
        return found.unseen(
            check,
            Fact("R16"),
            format!("{replica}: its masterauth could not be tried at {master}: {failure}"),
        );
    };
    let user = user.as_deref().unwrap_or("default");
    if denial.code == "NOPERM" {
        let says = format!(
            "{replica}: its masteruser {user} may not copy the data of {master}: it can never be \
             its replica"
        );
        let grant = cli.as_administrator(
            *master,
            &format!("acl setuser {user} +psync +replconf +ping"),
        );
        return found.fail(check, Fact("R16"), says, Fix::Run(grant));
    }
    let says = if *has_password {
        format!(
            "{replica}: its masterauth is wrong for {master} ({denial}): it can never be its \
             replica"
        )
    } else {
        format!(
            "{replica} has no masterauth, and {master} asks for it ({denial}): it can never \
                 be its replica"
        )
    };
    let there = redises
        .nodes
        .iter()
        .find(|node| node.address == *master)
        .and_then(|node| node.seen.as_ref().ok());
    let open = there.is_some_and(|seen| seen.setting("requirepass").is_some_and(str::is_empty));
    let fix = match cli.masterauth(*replica) {
        _ if open && *has_password => Fix::Do(format!(
            "give {} the password of {}, or take masterauth out on {}: one of the two has none",
            master.ip(),
            replica.ip(),
            replica.ip()
        )),
        Some(command) => Fix::Run(command),
        None => Fix::Do(format!(
            "on {}: config set masterauth, with the password of {master}, and masteruser where it \
             has users; then config \
             rewrite",
            replica.ip()
        )),
    };
    found.fail(check, Fact("R16"), says, fix);
}
