//! How the doctor's findings are shown.

use serde_json::json;

use super::Wanted;
use super::finding::{Finding, Level, Subject};
use crate::terminal::{Terminal, Tone, plain, wrapped};

/// Level, number of the fact.
const MARGIN: usize = 2 + 4 + 2 + 3 + 2;
/// Narrower ones are not wrapped for.
const NARROWEST: usize = 40;

pub(crate) fn show(found: &[Finding], wanted: &Wanted, terminal: &Terminal) {
    if wanted.json {
        let text = json!({
            "ok": count(found, Level::Ok),
            "unseen": count(found, Level::Unseen),
            "warn": count(found, Level::Warn),
            "fail": count(found, Level::Fail),
            "findings": shown(found, wanted),
        });
        terminal.json(&format!("{text:#}"));
        return;
    }
    for line in lines(found, wanted, terminal) {
        if !terminal.line(&line) {
            return;
        }
    }
}

fn count(found: &[Finding], level: Level) -> usize {
    found.iter().filter(|line| line.level == level).count()
}

fn shown<'f>(found: &'f [Finding], wanted: &Wanted) -> Vec<&'f Finding> {
    found
        .iter()
        .filter(|line| !wanted.quiet || line.level > Level::Unseen)
        .collect()
}

fn lines(found: &[Finding], wanted: &Wanted, terminal: &Terminal) -> Vec<String> {
    let mut out = Vec::new();
    let shown = shown(found, wanted);
    for subject in Subject::ALL {
        let mut of_subject = shown
            .iter()
            .filter(|line| line.subject == subject)
            .peekable();
        if of_subject.peek().is_some() {
            out.push(terminal.paint(Tone::Strong, subject.heading()));
        }
        for line in of_subject {
            let word = terminal.paint(tone(line.level), &format!("{:<4}", line.level.word()));
            let begin = format!(
                "  {word}  {}  ",
                terminal.paint(Tone::Faint, &format!("{:<3}", line.fact.0))
            );
            push(&mut out, terminal, &begin, &line.says);
            for fix in &line.fix {
                let (margin, text) = (" ".repeat(MARGIN), fix.text());
                let mut rows = text.split('\n').map(plain);
                push(
                    &mut out,
                    terminal,
                    &margin,
                    &format!("-> {}", rows.next().unwrap_or_default()),
                );
                // To be copied as they are.
                out.extend(rows.map(|row| format!("{margin}{row}")));
            }
        }
    }
    out.push(format!(
        "{} ok, {} warn, {} fail, {} not looked at",
        count(found, Level::Ok),
        count(found, Level::Warn),
        count(found, Level::Fail),
        count(found, Level::Unseen)
    ));
    out
}

fn tone(level: Level) -> Tone {
    match level {
        Level::Ok => Tone::Good,
        Level::Unseen => Tone::Faint,
        Level::Warn => Tone::Warning,
        Level::Fail => Tone::Bad,
    }
}

/// `begin` and the text, the next lines below its beginning. A command is not wrapped: it shall be
/// copied in one piece.
fn push(out: &mut Vec<String>, terminal: &Terminal, begin: &str, text: &str) {
    let width = terminal
        .width
        .filter(|width| *width >= NARROWEST && !text.starts_with("-> run: "));
    let Some(room) = width.map(|width| width - MARGIN) else {
        return out.push(format!("{begin}{text}"));
    };
    let margin = " ".repeat(MARGIN);
    out.extend(
        wrapped(text, room, "")
            .iter()
            .enumerate()
            .map(|(number, row)| format!("{}{row}", if number == 0 { begin } else { &margin })),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::doctor::finding::{Fact, Findings, Fix};
    use crate::keepalived_conf::Place;

    fn some() -> Vec<Finding> {
        let mut found = Findings::of(Subject::Redis);
        found.ok("a", Fact("K15"), "all is well");
        found.warn(
            "b",
            Fact("R4"),
            "a long sentence that has to be broken somewhere\u{1b}[2J",
            Fix::Run("cp a b".to_owned()),
        );
        found.unseen("c", Fact::NONE, "dark");
        let place = Place {
            file: "/etc/k.conf".into(),
            line: 7,
        };
        found.fail(
            "d",
            Fact::NONE,
            "wrong",
            Fix::replace(&place, "    a\n@b    c"),
        );
        found.list
    }

    #[test]
    fn each_line_has_its_level_its_fact_and_below_it_what_helps() {
        let terminal = Terminal {
            colour: false,
            is_terminal: true,
            width: Some(48),
        };
        let text = lines(&some(), &Wanted::default(), &terminal);
        assert_eq!(
            text,
            [
                "redis",
                "  ok    K15  all is well",
                "  warn  R4   a long sentence that has to be",
                "             broken somewhere [2J",
                "             -> run: cp a b",
                "  ?          dark",
                "  fail       wrong",
                "             -> write in place of /etc/k.conf:7:",
                "                 a",
                "             @b    c",
                "1 ok, 1 warn, 1 fail, 1 not looked at",
            ]
        );
        let quiet = Wanted {
            quiet: true,
            ..Wanted::default()
        };
        let text = lines(
            &some(),
            &quiet,
            &Terminal {
                width: None,
                ..terminal
            },
        );
        assert_eq!(text.len(), 8, "{text:#?}");
    }
}
