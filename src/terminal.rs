//! What a person sees: colour only on a terminal, no more than its width, and a pipe that may be
//! closed.

use std::fmt::Write as _;
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

    /// Writes a line of JSON, or several; [`escaped_json`]. False as for [`Terminal::line`].
    pub(crate) fn json(&self, json: &str) -> bool {
        self.line(&escaped_json(json))
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

/// The lines that `text` takes where a line has room for `room` letters, all but the first behind
/// `indent`; a word that is longer than a line stays whole.
pub(crate) fn wrapped(text: &str, room: usize, indent: &str) -> Vec<String> {
    let options = textwrap::Options::new(room)
        .subsequent_indent(indent)
        .break_words(false)
        .word_separator(textwrap::WordSeparator::AsciiSpace)
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
        .wrap_algorithm(textwrap::WrapAlgorithm::FirstFit);
    let lines = textwrap::wrap(text, options);
    lines
        .into_iter()
        .map(std::borrow::Cow::into_owned)
        .collect()
}

/// Text from outside as one line that steers neither a terminal nor a reader's eye: a blank stands
/// for each letter that [`is_hidden`].
pub(crate) fn plain(text: &str) -> String {
    text.chars()
        .map(|letter| if is_hidden(letter) { ' ' } else { letter })
        .collect()
}

/// `json` with an escape for each letter that [`is_hidden`]. A program that parses it gets the very
/// same strings; a person who looks at it sees what is there.
pub(crate) fn escaped_json(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for letter in json.chars() {
        // The line's ends of a JSON that is indented; within a string there are none.
        if is_hidden(letter) && letter != '\n' {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                let _ = write!(text, "\\u{unit:04x}");
            }
        } else {
            text.push(letter);
        }
    }
    text
}

/// Steers a terminal, ends a line, turns the direction of what is written after it, or is not seen
/// at all, so that one name passes for another.
pub(crate) fn is_hidden(letter: char) -> bool {
    // Nearly all text is ASCII, and a check looks at some.
    if letter.is_ascii() {
        return letter.is_ascii_control();
    }
    letter.is_control()
        || matches!(letter,
            '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
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
    }

    #[test]
    fn what_steers_or_hides_is_a_blank_and_all_else_stands_as_it_is() {
        for (from_outside, shown) in [
            ("a\u{1b}[2Jb\n", "a [2Jb "),
            ("\0a\r\tb\u{7f}", " a  b "),
            // The control characters of Latin 1: a next line, an escape sequence's beginning.
            ("a\u{85}b\u{9b}31m", "a b 31m"),
            ("a\u{2028}b\u{2029}c", "a b c"),
            ("\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}x", "     x"),
            ("\u{2066}\u{2067}\u{2068}\u{2069}x", "    x"),
            ("a\u{200e}b\u{200f}c\u{61c}d", "a b c d"),
            (
                "a\u{200b}b\u{200c}c\u{200d}d\u{2060}e\u{180e}f",
                "a b c d e f",
            ),
            ("\u{feff}a\u{fff9}b\u{e0041}", " a b "),
            (
                "redis-ha: \u{7528}\u{6237} \u{e4}\u{df}",
                "redis-ha: \u{7528}\u{6237} \u{e4}\u{df}",
            ),
            (
                "\u{5d0}\u{5d1} \u{645}\u{631}",
                "\u{5d0}\u{5d1} \u{645}\u{631}",
            ),
            (
                "e\u{301} \u{a0}\u{2003}\u{1f980}",
                "e\u{301} \u{a0}\u{2003}\u{1f980}",
            ),
            ("", ""),
        ] {
            assert_eq!(plain(from_outside), shown, "{from_outside:?}");
        }
    }

    #[test]
    fn json_means_the_same_with_what_is_hidden_as_escapes() {
        let value =
            serde_json::json!({"a": "x\u{202e}\u{85}\u{e0041}\n\u{7528}", "b": [1, "\u{feff}"]});
        for json in [value.to_string(), format!("{value:#}")] {
            let text = escaped_json(&json);
            assert!(
                !text.contains(|letter| is_hidden(letter) && letter != '\n'),
                "{text}"
            );
            assert!(
                text.contains("x\\u202e\\u0085\\udb40\\udc41\\n\u{7528}"),
                "{text}"
            );
            assert_eq!(
                serde_json::from_str::<serde_json::Value>(&text).ok(),
                Some(value.clone())
            );
        }
    }

    #[test]
    fn a_line_holds_as_many_words_as_it_has_room_for() {
        let text = "a long line that says a lot";
        assert_eq!(wrapped(text, usize::MAX, ""), [text]);
        assert_eq!(wrapped(text, 20, ""), ["a long line that", "says a lot"]);
        assert_eq!(
            wrapped(text, 18, "  "),
            ["a long line that", "  says a lot"]
        );
        assert_eq!(
            wrapped("/a/path-that/is/longer x", 20, ""),
            ["/a/path-that/is/longer", "x"]
        );
        assert_eq!(wrapped("", 20, "  "), [""]);
    }
}
