//! A status as a person reads it.

use std::time::Duration;

use super::{Gathered, NodeStatus};
use crate::terminal::{Terminal, Tone};

/// A column: its heading, how a node fills it, and how gladly it is left out where a terminal is narrow.
struct Column {
    heading: &'static str,
    cell: fn(&NodeStatus) -> String,
    /// The highest goes first; 0 always stays.
    dispensable: u8,
}

const COLUMNS: [Column; 11] = [
    Column { heading: "NODE", cell: name, dispensable: 0 },
    Column { heading: "VRRP", cell: |node| node.vrrp.clone().unwrap_or_else(none), dispensable: 0 },
    Column { heading: "VIP", cell: |node| if node.vip { "here" } else { "-" }.to_string(), dispensable: 0 },
    Column { heading: "REDIS", cell: |node| node.role.unwrap_or("down").to_string(), dispensable: 0 },
    Column { heading: "LINK", cell: |node| node.link.clone().unwrap_or_else(none), dispensable: 1 },
    Column { heading: "BEHIND", cell: |node| node.lag_bytes.map_or_else(none, bytes), dispensable: 2 },
    Column { heading: "STANDING", cell: |node| node.standing.clone().unwrap_or_else(none), dispensable: 3 },
    Column { heading: "ELIGIBLE", cell: eligible, dispensable: 4 },
    Column { heading: "KEYS", cell: |node| node.keys.map_or_else(none, |keys| keys.to_string()), dispensable: 5 },
    Column { heading: "VERSION", cell: |node| node.version.clone().unwrap_or_else(none), dispensable: 7 },
    Column { heading: "UP", cell: |node| node.uptime_seconds.map_or_else(none, up), dispensable: 6 },
];

/// The whole, ending with a line's end; no line is wider than the terminal.
pub fn render(found: &Gathered, terminal: &Terminal) -> String {
    let mut text = Text { terminal, text: String::new() };
    let at = found.vip_at.map_or_else(|| "at no node that is seen".to_string(), |node| format!("at {node}"));
    let verdict = match found.healthy {
        true => terminal.paint(Tone::Good, "healthy"),
        false => terminal.paint(Tone::Bad, "NOT HEALTHY"),
    };
    text.push(&format!("{}   VIP {} {at}   {verdict}", terminal.paint(Tone::Strong, &found.instance), found.vip));
    text.push("");
    nodes(&mut text, found);
    let troubles = found.troubles.iter().map(|line| (Tone::Bad, line.clone()));
    let drained = found.drained.iter().map(|drained| (Tone::Warning, format!("this node: {drained}")));
    let notes = found.notes.iter().map(|note| (Tone::Warning, note.clone()));
    let mut lines: Vec<(Tone, String)> = troubles.chain(drained).chain(notes).collect();
    for node in found.nodes.iter().filter(|node| node.eligible == Some(false) && !in_sentinel_mode(found)) {
        let why = node.why.clone().unwrap_or_default();
        lines.push((Tone::Warning, format!("{} is not eligible: {why}", node.address)));
    }
    if let Some(sentinels) = &found.sentinels {
        lines.push((Tone::Faint, format!("sentinels: {sentinels}")));
    }
    if !lines.is_empty() {
        text.push("");
    }
    lines.iter().for_each(|(tone, line)| text.wrapped(*tone, line));
    if !found.transitions.is_empty() {
        text.push("");
        text.push(&terminal.paint(Tone::Strong, "the last transitions of this node"));
        found.transitions.iter().for_each(|line| text.cut(line));
    }
    text.text
}

fn in_sentinel_mode(found: &Gathered) -> bool {
    found.sentinels.is_some()
}

fn nodes(text: &mut Text<'_>, found: &Gathered) {
    let terminal = text.terminal;
    let cells: Vec<Vec<String>> =
        found.nodes.iter().map(|node| COLUMNS.iter().map(|column| (column.cell)(node)).collect()).collect();
    let width = |index: usize| {
        let longest = cells.iter().map(|row| row[index].chars().count()).max().unwrap_or(0);
        longest.max(COLUMNS[index].heading.len())
    };
    let mut shown: Vec<usize> = (0..COLUMNS.len()).collect();
    // Two blanks between two columns.
    let total = |shown: &[usize]| shown.iter().map(|index| width(*index) + 2).sum::<usize>().saturating_sub(2);
    while terminal.width.is_some_and(|most| total(&shown) > most) {
        let last = shown.iter().copied().filter(|index| COLUMNS[*index].dispensable > 0);
        let Some(out) = last.max_by_key(|index| COLUMNS[*index].dispensable) else { break };
        shown.retain(|index| *index != out);
    }
    let row = |cells: &dyn Fn(usize) -> String| {
        let padded = shown.iter().map(|index| format!("{:<width$}", cells(*index), width = width(*index)));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_string()
    };
    text.push(&terminal.paint(Tone::Strong, &row(&|index| COLUMNS[index].heading.to_string())));
    for (node, cells) in found.nodes.iter().zip(&cells) {
        let line = row(&|index| cells[index].clone());
        let tone = match node {
            NodeStatus { failure: Some(_), .. } => Some(Tone::Bad),
            NodeStatus { vip: true, role: Some("master"), .. } => Some(Tone::Good),
            NodeStatus { eligible: Some(true), .. } => None,
            _ if in_sentinel_mode(found) => None,
            _ => Some(Tone::Warning),
        };
        text.push(&tone.map_or(line.clone(), |tone| terminal.paint(tone, &line)));
    }
    if found.nodes.iter().any(|node| node.local) {
        text.push(&terminal.paint(Tone::Faint, "* this node"));
    }
}

fn none() -> String {
    "-".to_string()
}

fn name(node: &NodeStatus) -> String {
    format!("{}{}", node.address, if node.local { " *" } else { "" })
}

fn eligible(node: &NodeStatus) -> String {
    match node.eligible {
        Some(true) => "yes".to_string(),
        Some(false) => "no".to_string(),
        None => none(),
    }
}

/// Bytes in a unit that keeps the number short.
fn bytes(bytes: u64) -> String {
    bytesize::ByteSize(bytes).display().iec().to_string()
}

/// The two largest units: 3d 4h.
fn up(seconds: u64) -> String {
    let text = humantime::format_duration(Duration::from_secs(seconds)).to_string();
    text.split(' ').take(2).collect::<Vec<_>>().join(" ")
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
        let mut line = String::new();
        for word in sentence.split(' ') {
            if !line.trim().is_empty() && line.chars().count() + 1 + word.chars().count() > most {
                self.push(&self.terminal.paint(tone, &line));
                line = " ".to_string();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        self.push(&self.terminal.paint(tone, &line));
    }

    /// A line of the journal: whoever wants the rest of it opens the journal.
    fn cut(&mut self, line: &str) {
        match self.terminal.width {
            Some(most) if line.chars().count() > most => {
                let short: String = line.chars().take(most.saturating_sub(3)).collect();
                self.push(&format!("{short}..."));
            }
            _ => self.push(line),
        }
    }
}
