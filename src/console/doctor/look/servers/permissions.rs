//! What a user may do on a Redis: asked for, and not tried.

use std::net::SocketAddr;

use redis::{Cmd, Value, cmd};

use super::{ANSWER, NO_COMMAND, Rights, connecting};
use crate::config::Config;
use crate::console::doctor::rights::wanted;
use crate::deadline::Deadline;
use crate::server::endpoint::Endpoint;
use crate::server::failure::{Denial, Failure};
use crate::server::info::{Observation, Version};
use crate::server::{Server, string};

/// PSYNC makes a replica, so that it is not tried but asked for, as the user that the programs are.
pub(crate) fn may_copy(
    config: &Config,
    user: Option<&str>,
    master: SocketAddr,
) -> Result<(), Failure> {
    let deadline = Deadline::after(ANSWER);
    let ask = cmd("ACL")
        .arg("DRYRUN")
        .arg(user.unwrap_or("default"))
        .arg("PSYNC")
        .arg("?")
        .arg(-1)
        .clone();
    let said = Server::connect(
        &Endpoint::Tcp(master),
        &config.auth,
        deadline.at_most(connecting(config)),
    )
    .and_then(|mut server| server.call(&ask, deadline))
    .and_then(string);
    match said {
        Ok(text) if text.contains("no permissions") => Err(Failure::Denied(Denial {
            code: "NOPERM".to_owned(),
            text,
        })),
        _ => Ok(()),
    }
}

/// Each right that the programs need.
pub(crate) fn rights(
    server: &mut Server,
    config: &Config,
    seen: &Observation,
    user: &str,
) -> Result<Rights, Failure> {
    let wanted = wanted(config, seen.version);
    if !seen.version.has_functions() {
        return Ok(by_name(server, seen, user)?
            .map(|()| wanted.into_iter().map(|right| (right, Ok(()))).collect()));
    }
    let commands: Vec<Cmd> = wanted
        .iter()
        .map(|right| cmd("ACL").arg("DRYRUN").arg(user).arg(&right.words).clone())
        .collect();
    let mut found = Vec::new();
    for (right, answer) in wanted
        .into_iter()
        .zip(server.batch(&commands, Deadline::after(ANSWER))?)
    {
        let allowed = match answer {
            Ok(value) => string(value).map(|text| if text == "OK" { Ok(()) } else { Err(text) }),
            // The right to ask is missing.
            Err(Denial { code, .. }) if code == "NOPERM" => {
                return Ok(Err(format!("user {user} has no right to ACL DRYRUN")));
            }
            // rename-command.
            Err(Denial { text, .. }) if text.contains("not found") => {
                Ok(Err(NO_COMMAND.to_owned()))
            }
            // What it says is of the arguments, and not of the right.
            Err(_) => continue,
        };
        found.push((right, allowed.unwrap_or(Ok(()))));
    }
    Ok(Ok(found))
}

/// Before 7.0 nobody can be asked for one right; a user who may do everything is known all the
/// same.
fn by_name(
    server: &mut Server,
    seen: &Observation,
    user: &str,
) -> Result<Result<(), String>, Failure> {
    if seen.version < Version(6, 0, 0) {
        return Ok(Ok(()));
    }
    let unknown = format!("Redis {} has no ACL DRYRUN", seen.version);
    match server.call(cmd("ACL").arg("GETUSER").arg(user), Deadline::after(ANSWER)) {
        Ok(Value::Array(fields)) => {
            let fields: Vec<String> = fields
                .into_iter()
                .map(|field| string(field).unwrap_or_default())
                .collect();
            let commands = fields
                .iter()
                .position(|field| field == "commands")
                .and_then(|at| fields.get(at + 1));
            Ok(if commands.is_some_and(|commands| commands == "+@all") {
                Ok(())
            } else {
                Err(unknown)
            })
        }
        Ok(_) | Err(Failure::Denied(_)) => Ok(Err(unknown)),
        Err(failure) => Err(failure),
    }
}
