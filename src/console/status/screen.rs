//! A status as a person reads it.

use chrono::Local;

use super::cells::{COLUMNS, Column};
use super::{Gathered, NodeStatus};
use crate::console::columns::{self, Table};
use crate::terminal::{Terminal, Tone, wrapped};

/// The whole, ending with a line's end; no line is wider than the terminal.
pub(crate) fn render(found: &Gathered, terminal: &Terminal) -> String {
    let mut text = Text {
        terminal,
        text: String::new(),
    };
    let at = found.vip_at.map_or_else(
        || "at no node that is seen".to_string(),
        |node| format!("at {node}"),
    );
    let verdict = if found.healthy {
        terminal.paint(Tone::Good, "healthy")
    } else {
        terminal.paint(Tone::Bad, "NOT HEALTHY")
    };
    text.push(&format!(
        "{}   VIP {} {at}   {verdict}",
        terminal.paint(Tone::Strong, &found.instance),
        found.vip
    ));
    text.push("");
    nodes(&mut text, found);
    let troubles = found.troubles.iter().map(|line| (Tone::Bad, line.clone()));
    let drained = found
        .drained
        .iter()
        .map(|drained| (Tone::Warning, format!("this node: {drained}")));
    let notes = found.notes.iter().map(|note| (Tone::Warning, note.clone()));
    let mut lines: Vec<(Tone, String)> = troubles.chain(drained).chain(notes).collect();
    for node in found
        .nodes
        .iter()
        .filter(|node| node.eligible == Some(false) && !in_sentinel_mode(found))
    {
        let why = node.why.clone().unwrap_or_default();
        lines.push((
            Tone::Warning,
            format!("{} is not eligible: {why}", node.address),
        ));
    }
    if let Some(sentinels) = &found.sentinels {
        lines.push((Tone::Faint, format!("sentinels: {sentinels}")));
    }
    if !lines.is_empty() {
        text.push("");
    }
    lines
        .iter()
        .for_each(|(tone, line)| text.wrapped(*tone, line));
    if !found.transitions.is_empty() {
        text.push("");
        text.push(&terminal.paint(Tone::Strong, "the last transitions of this node"));
        found
            .transitions
            .iter()
            .for_each(|line| text.wrapped(Tone::Plain, &shorter(line)));
    }
    text.text
}

fn in_sentinel_mode(found: &Gathered) -> bool {
    found.sentinels.is_some()
}

fn nodes(text: &mut Text<'_>, found: &Gathered) {
    let terminal = text.terminal;
    let mut shown: Vec<&Column> = COLUMNS.iter().collect();
    let headings = shown
        .iter()
        .map(|column| columns::Column::of_texts(column.heading));
    let mut table = Table::new(headings.collect(), 2);
    for node in &found.nodes {
        table.push(COLUMNS.iter().map(|column| (column.cell)(node)).collect());
    }
    while terminal.width.is_some_and(|most| table.width() > most) {
        let dispensable = (0..shown.len()).filter(|at| shown[*at].dispensable > 0);
        let Some(at) = dispensable.max_by_key(|at| shown[*at].dispensable) else {
            break;
        };
        shown.remove(at);
        table.leave_out(at);
    }
    text.push(&terminal.paint(Tone::Strong, &table.heading()));
    for (node, line) in found.nodes.iter().zip(table.lines()) {
        let tone = match node {
            NodeStatus {
                failure: Some(_), ..
            } => Some(Tone::Bad),
            NodeStatus {
                vip: true,
                role: Some("master"),
                ..
            } => Some(Tone::Good),
            NodeStatus {
                eligible: Some(true),
                ..
            } => None,
            _ if in_sentinel_mode(found) => None,
            _ => Some(Tone::Warning),
        };
        text.push(&tone.map_or(line.clone(), |tone| terminal.paint(tone, &line)));
    }
    if found.nodes.iter().any(|node| node.local) {
        text.push(&terminal.paint(Tone::Faint, "* this node"));
    }
}

/// A line of the journal without the program and its pid, which the label stands for, and without
/// the date where it is of today: `14:02:03.004 [Master] promoted: ...`.
fn shorter(line: &str) -> String {
    let today = Local::now().format("%Y-%m-%dT").to_string();
    let Some((time, rest)) = line.split_once(' ') else {
        return line.to_string();
    };
    let Some((_, sentence)) = rest.split_once("] ") else {
        return line.to_string();
    };
    let time = time.strip_prefix(&today).unwrap_or(time);
    // Without the offset, and without the T of another day.
    let zone = time
        .len()
        .checked_sub(6)
        .and_then(|length| time.get(..length));
    let time = zone.unwrap_or(time).replace('T', " ");
    format!("{time} {sentence}")
}

struct Text<'a> {
    terminal: &'a Terminal,
    text: String,
}

impl Text<'_> {
    fn push(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// A sentence in as many lines as it needs.
    fn wrapped(&mut self, tone: Tone, sentence: &str) {
        let most = self.terminal.width.unwrap_or(usize::MAX).max(20);
        for line in wrapped(sentence, most, "  ") {
            self.push(&self.terminal.paint(tone, &line));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::status::sample::pair;
    use crate::terminal::plain;

    #[test]
    fn no_line_of_the_table_is_wider_than_the_terminal() {
        for width in 70..140 {
            let terminal = Terminal {
                colour: false,
                is_terminal: true,
                width: Some(width),
            };
            let text = render(&pair(), &terminal);
            for line in text.lines() {
                assert!(line.chars().count() <= width, "{width}: {line}");
            }
            assert!(
                text.contains("192.168.158.12:6379")
                    && text.contains("NOT HEALTHY")
                    && text.contains("45 %")
            );
        }
        let all = render(
            &pair(),
            &Terminal {
                colour: false,
                is_terminal: false,
                width: None,
            },
        );
        assert!(
            all.contains("3days 1h") && all.contains("117.7 MiB") && all.contains("down"),
            "{all}"
        );
    }

    #[test]
    fn colours_are_all_that_a_terminal_adds() {
        let plainly = render(
            &pair(),
            &Terminal {
                colour: false,
                is_terminal: true,
                width: None,
            },
        );
        let colours = render(
            &pair(),
            &Terminal {
                colour: true,
                is_terminal: true,
                width: None,
            },
        );
        assert!(!plainly.contains('\u{1b}') && colours.contains('\u{1b}'));
        let mut without = String::new();
        let mut escape = false;
        for c in colours.chars() {
            escape |= c == '\u{1b}';
            if !escape {
                without.push(c);
            }
            escape &= c != 'm';
        }
        assert_eq!(without, plainly);
        assert_eq!(plain(&plainly).len(), plainly.len());
    }

    #[test]
    fn a_line_of_the_journal_is_shortened_to_what_a_person_reads() {
        let today = Local::now().format("%Y-%m-%d");
        let line =
            format!("{today}T14:02:03.004+01:00 redis_master[12] [Master] promoted: x took_ms=0.5");
        assert_eq!(
            shorter(&line),
            "14:02:03.004 [Master] promoted: x took_ms=0.5"
        );
        let line = "2020-01-02T14:02:03.004+01:00 redis_stop[12] [Stop] keepalived stops here";
        assert_eq!(
            shorter(line),
            "2020-01-02 14:02:03.004 [Stop] keepalived stops here"
        );
        assert_eq!(shorter("rubbish"), "rubbish");
        assert_eq!(shorter("no brackets here"), "no brackets here");
        assert_eq!(
            shorter("\u{e4}\u{f6} x[1] y"),
            "\u{e4}\u{f6} y",
            "no panic within a letter"
        );
    }
}
