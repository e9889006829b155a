//! What a person sees: colour only on a terminal, no more than its width, and a pipe that may be
//! closed.

use std::io::{self, IsTerminal, Write};

use anstyle::{AnsiColor, Style};

/// Where standard output goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Terminal {
    /// Escape sequences may be written.
    pub colour: bool,
    /// A person looks at it now.
    pub is_terminal: bool,
    /// Its columns; `None` where it is a file or a pipe.
    pub width: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Warning,
    Bad,
    Strong,
    Faint,
    Plain,
}

impl Terminal {
    /// Standard output, as it is. No colour where `NO_COLOR` is set and not empty
    /// (<https://no-color.org>), or `TERM` is `dumb`.
    pub(crate) fn of_stdout() -> Terminal {
        let is_terminal = io::stdout().is_terminal();
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let dumb = set("TERM").is_none_or(|term| term == "dumb");
        Terminal {
            colour: is_terminal && !dumb && set("NO_COLOR").is_none(),
            is_terminal,
            width: terminal_size::terminal_size_of(io::stdout())
                .map(|(width, _)| usize::from(width.0)),
        }
    }

    /// `text` in the colour of `tone`; as it is, where there are no colours.
    pub(crate) fn paint(&self, tone: Tone, text: &str) -> String {
        if !self.colour {
            return text.to_string();
        }
        let style = match tone {
            Tone::Good => Style::new().fg_color(Some(AnsiColor::Green.into())),
            Tone::Warning => Style::new().fg_color(Some(AnsiColor::Yellow.into())),
            Tone::Bad => Style::new().fg_color(Some(AnsiColor::Red.into())).bold(),
            Tone::Strong => Style::new().bold(),
            Tone::Faint => Style::new().dimmed(),
            Tone::Plain => return text.to_string(),
        };
        format!("{style}{text}{style:#}")
    }

    /// Writes `text` as it is. False as for [`Terminal::line`].
    pub(crate) fn text(&self, text: &str) -> bool {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())
            .and_then(|()| out.flush())
            .is_ok()
    }

    /// Writes `text` over what stood there: on a terminal from the top, and what is left of the old
    /// one is removed. False as for [`Terminal::line`].
    pub(crate) fn redraw(&self, text: &str) -> bool {
        if !self.is_terminal {
            return self.text(&format!("{text}\n"));
        }
        // Home; each line's rest; and all below: nothing flickers.
        self.text(&format!("\x1b[H{}\x1b[J", text.replace('\n', "\x1b[K\n")))
    }

    /// Writes `text` and a line's end to standard output; what came from outside is `plain` before
    /// it comes here. False where nobody reads any more: a closed pipe is no error, and nothing to
    /// go on for.
    pub(crate) fn line(&self, text: &str) -> bool {
        let mut out = io::stdout().lock();
        writeln!(out, "{text}").and_then(|()| out.flush()).is_ok()
    }
}

/// What went wrong, in one line, to standard error.
pub(crate) fn complain(error: &dyn std::fmt::Display) {
    let _ = writeln!(
        io::stderr(),
        "keepalived-redis: {}",
        plain(&format!("{error:#}"))
    );
}

/// A line that the next one replaces, for whoever watches; on a terminal only.
pub(crate) fn passing(line: &str) {
    let terminal = Terminal::of_stdout();
    if terminal.is_terminal {
        let most = terminal.width.unwrap_or(80).saturating_sub(1);
        let line: String = line.chars().take(most).collect();
        terminal.text(&format!("{}{line}\r", erase()));
    }
}

/// What a line begins with, so that nothing of a passing one is left.
pub(crate) fn erase() -> &'static str {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    if dumb || !io::stdout().is_terminal() {
        ""
    } else {
        "\x1b[K"
    }
}

/// Text from outside without anything that could steer a terminal.
pub(crate) fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_colours_nothing_is_added() {
        let mut terminal = Terminal {
            colour: false,
            is_terminal: false,
            width: None,
        };
        assert_eq!(terminal.paint(Tone::Bad, "fail"), "fail");
        terminal.colour = true;
        assert_ne!(terminal.paint(Tone::Bad, "fail"), "fail");
        assert_eq!(plain("a\u{1b}[2Jb\n"), "a [2Jb ");
    }
}
