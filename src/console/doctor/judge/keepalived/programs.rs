//! The files of the programs, and whom keepalived runs them as.

use std::path::PathBuf;

use super::globals;
use crate::console::doctor::finding::{Fact, Findings, Fix};
use crate::console::doctor::judge::{Expected, ours};
use crate::console::doctor::look::command::Said;
use crate::console::doctor::look::keepalived::{Keepalived, is_ours};
use crate::console::doctor::look::modes::ProgramFile;
use crate::keepalived_conf::vrrp::Command;

pub(crate) fn judge(found: &mut Findings, keepalived: &Keepalived, expected: &Expected) {
    if keepalived.conf.is_err() {
        return;
    }
    for program in &keepalived.programs {
        file(found, program, keepalived.versions.get(&program.path));
    }
    if !keepalived.programs.is_empty() {
        let count = keepalived.programs.len();
        found.ok_unless_said(
            "program",
            Fact("K13"),
            format!("all {count} programs are there and can be run"),
        );
        found.ok_unless_said(
            "program-safe",
            Fact("K24"),
            "nobody but root can change them, nor the directories above them",
        );
    }
    security(found, keepalived);
    user(found, keepalived, expected);
}

fn file(found: &mut Findings, program: &ProgramFile, version: Option<&Result<Said, String>>) {
    let path = program.path.display();
    let lost = "to keepalived a check that can't be run is a success, and a notification is lost";
    let install = || Fix::Do("install it: ./install.sh, from the source tree".to_owned());
    let mode = match &program.found {
        Ok(mode) => mode,
        Err(why) if why.contains("denied") => {
            return found.unseen(
                "program",
                Fact("K13"),
                format!("{path}: {why}; run this as root"),
            );
        }
        Err(why) => {
            return found.fail(
                "program",
                Fact("K13"),
                format!("{path}: {why}: {lost}"),
                install(),
            );
        }
    };
    if !mode.is_file {
        return found.fail(
            "program",
            Fact("K13"),
            format!("{path} is not a file: {lost}"),
            install(),
        );
    }
    if mode.bits & 0o111 == 0 {
        let fix = Fix::Run(format!("chmod 755 {path}"));
        return found.fail(
            "program",
            Fact("K13"),
            format!("{path} is not executable: {lost}"),
            fix,
        );
    }
    if let Some((interpreter, false)) = &program.interpreter {
        return found.fail(
            "program",
            Fact("K13"),
            format!(
                "{path} needs {}, which is missing: {lost}",
                interpreter.display()
            ),
            install(),
        );
    }
    if let Some(open) = program.open.first() {
        let all: Vec<String> = program
            .open
            .iter()
            .map(|place| place.display().to_string())
            .collect();
        let all = all.join(" ");
        // Of /tmp, or of somebody's home, others need the right to write.
        let ours = [
            "/usr/libexec",
            "/usr/local",
            "/usr/sbin",
            "/usr/bin",
            "/opt",
            "/etc",
        ];
        let is_ours = |place: &PathBuf| ours.iter().any(|dir| place.starts_with(dir));
        let fix = if program.open.iter().all(is_ours) {
            Fix::Run(format!("chown root:root {all} && chmod go-w {all}"))
        } else {
            Fix::Do(format!(
                "move {path} to /usr/libexec/keepalived, and let keepalived.conf name it there"
            ))
        };
        found.fail(
            "program-safe",
            Fact("K24"),
            format!(
                "others than root may write to {}: with enable_script_security keepalived \
                drops what calls {path}, and a dropped check fails nothing",
                open.display()
            ),
            fix,
        );
    }
    let Some(version) = version else { return };
    match version {
        Ok(said)
            if said.code == Some(0) && said.text.trim().ends_with(env!("CARGO_PKG_VERSION")) => {}
        Ok(said) if said.code == Some(0) => {
            let says = format!(
                "{path} is {}, and this is {}",
                said.text.trim(),
                env!("CARGO_PKG_VERSION")
            );
            found.warn("program-version", Fact::NONE, says, install());
        }
        Ok(said) => {
            let says = format!(
                "{path} does not run here: {}: {lost}",
                said.text.lines().last().unwrap_or("it ended by a signal")
            );
            found.fail("program", Fact("K13"), says, install());
        }
        Err(why) => found.fail(
            "program",
            Fact("K13"),
            format!("{path}: {why}: {lost}"),
            install(),
        ),
    }
}

fn security(found: &mut Findings, keepalived: &Keepalived) {
    if keepalived.here.has_global(&["enable_script_security"]) {
        return found.ok(
            "script-security",
            Fact("K24"),
            "enable_script_security is set",
        );
    }
    let says = "enable_script_security is missing: a program that others could change would be \
        run as root";
    found.warn(
        "script-security",
        Fact("K24"),
        says,
        globals::add(keepalived, "enable_script_security"),
    );
}

/// Only root reads the password, and writes the memory.
fn user(found: &mut Findings, keepalived: &Keepalived, expected: &Expected) {
    let vrrp = &keepalived.here;
    let check = "script-user";
    let everybody = match (&vrrp.script_user, keepalived.has_script_user) {
        (Some(user), _) => Some(user.as_str()),
        (None, true) => Some("keepalived_script"),
        (None, false) => None,
    };
    match everybody {
        None if vrrp.has_global(&["enable_script_security"]) => {
            let says = "no script_user, and no user keepalived_script: keepalived drops the \
                checks, and a dropped check fails nothing";
            return found.fail(
                check,
                Fact("K24"),
                says,
                globals::add(keepalived, "script_user root"),
            );
        }
        None => {
            let says = "no script_user: keepalived runs the programs as root until there is a \
                user keepalived_script";
            return found.warn(
                check,
                Fact("K24"),
                says,
                globals::add(keepalived, "script_user root"),
            );
        }
        Some("root") => {}
        Some(user) => {
            let says = format!(
                "the programs run as {user}: they can read neither the password file nor what the \
                 node remembers"
            );
            let line = vrrp
                .block
                .as_ref()
                .and_then(|block| block.get(&["script_user"]));
            let fix = match line {
                Some(line) => Fix::replace(&line.place, "    script_user root"),
                None => globals::add(keepalived, "script_user root"),
            };
            return found.fail(check, Fact("K24"), says, fix);
        }
    }
    let Some(instance) = ours(vrrp, expected) else {
        return;
    };
    let scripts = vrrp
        .tracked_scripts(instance)
        .map(|(script, _)| &script.command);
    let other = |command: &&Command| {
        is_ours(command.program()) && command.user.as_ref().is_some_and(|user| user != "root")
    };
    if let Some(command) = scripts.chain(instance.notify.values()).find(other) {
        let user = command.user.clone().unwrap_or_default();
        let says = format!(
            "{}: {} runs as {user}, who can't read the password file",
            command.place,
            command.name()
        );
        return found.fail(
            check,
            Fact("K24"),
            says,
            Fix::Do(format!(
                "take {user} out there: script_user root is for all"
            )),
        );
    }
    found.ok(check, Fact("K24"), "script_user root");
}
