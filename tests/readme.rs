//! README.zh-CN.md says what README.md says: the same headings, lists, tables, code and figures in
//! the same order, and it was looked at when README.md changed last.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

const ENGLISH: &str = include_str!("../README.md");
const CHINESE: &str = include_str!("../README.zh-CN.md");
/// Before the list of sections at the end of the translation.
const STAMP: &str = "<!-- What was translated, by section; tests/readme.rs looks at it.";

/// A part of the page that stands for itself.
#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Heading(usize),
    Paragraph,
    /// With its indent, and whether it is numbered.
    Item(usize, bool),
    /// With its language; the text without that of its comments.
    Code(String, Vec<String>),
    /// With its columns.
    Row(usize),
    Comment,
}

/// A part, where it begins, and its text.
#[derive(Clone, Debug)]
struct Part {
    kind: Kind,
    line: usize,
    text: String,
}

/// Code as it is, but for what is said to the reader: comments may be translated.
fn without_comments(code: &str) -> Vec<String> {
    let line = |line: &str| {
        let indent = line.len() - line.trim_start().len();
        if line.trim_start().starts_with("# ") {
            return format!("{}#", &line[..indent]);
        }
        line.find("  # ").map_or(line.to_owned(), |at| {
            format!("{}  #", line[..at].trim_end())
        })
    };
    code.lines().map(line).collect()
}

/// The page in its parts; without the stamp, and without the line that leads to the other language.
fn parts(page: &str) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut lines = page.lines().enumerate();
    let mut open = false;
    while let Some((number, line)) = lines.next() {
        let (text, number) = (line.trim(), number + 1);
        let part = |kind, text: &str| Part {
            kind,
            line: number,
            text: text.to_owned(),
        };
        let indent = line.len() - line.trim_start().len();
        let dots = text
            .split_once(". ")
            .is_some_and(|(n, _)| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
        if text == STAMP {
            break;
        } else if let Some(language) = text.strip_prefix("```") {
            let code: Vec<&str> = lines
                .by_ref()
                .map(|(_, line)| line)
                .take_while(|line| line.trim() != "```")
                .collect();
            let code = without_comments(&code.join("\n"));
            parts.push(part(Kind::Code(language.to_owned(), code), ""));
            open = false;
        } else if text.starts_with('#') {
            parts.push(part(
                Kind::Heading(text.len() - text.trim_start_matches('#').len()),
                text,
            ));
            open = false;
        } else if text.starts_with('|') {
            let cells = text.trim_matches('|').split('|').map(str::trim);
            let columns = cells.clone().count();
            parts.extend(cells.map(|cell| part(Kind::Row(columns), cell)));
            open = false;
        } else if text.starts_with("<!--") {
            parts.push(part(Kind::Comment, text));
            open = false;
        } else if text.is_empty() || text.contains("简体中文") {
            open = false;
        } else if text.starts_with("- ") || dots {
            parts.push(part(Kind::Item(indent, dots), text));
            open = true;
        } else if let (true, Some(last)) = (open, parts.last_mut()) {
            last.text.push(' ');
            last.text.push_str(text);
        } else {
            parts.push(part(Kind::Paragraph, text));
            open = true;
        }
    }
    parts
}

type Bag = BTreeMap<String, usize>;

fn bag(words: impl IntoIterator<Item = String>) -> Bag {
    words.into_iter().fold(Bag::new(), |mut bag, word| {
        *bag.entry(word).or_default() += 1;
        bag
    })
}

/// What stands between backticks.
fn code_of(text: &str) -> Bag {
    bag(text.split('`').skip(1).step_by(2).map(str::to_owned))
}

/// Whether a link leads to another place of the page, or where else it leads.
fn links_of(text: &str) -> Bag {
    let targets = text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'));
    bag(targets.map(|(target, _)| if target.starts_with('#') { "#" } else { target }.to_owned()))
}

/// Every figure outside of code and links, `11.1` and `22,948` in one.
fn figures_of(text: &str) -> Bag {
    let prose: Vec<&str> = text.split('`').step_by(2).collect();
    let prose = prose.join(" ");
    let shown = prose.split("](").enumerate().map(|(n, rest)| match n {
        0 => rest,
        _ => rest.split_once(')').map_or("", |(_, behind)| behind),
    });
    let shown: Vec<&str> = shown.collect();
    let shown = shown.join(" ");
    let words = shown.split(|c: char| !c.is_ascii_digit() && c != '.' && c != ',');
    let words = words.map(|word| word.trim_matches(['.', ',']).to_owned());
    bag(words.filter(|word| !word.is_empty()))
}

fn strong_of(text: &str) -> Bag {
    bag([format!("{} times **", text.matches("**").count())])
}

/// What the two pages say differently, the first difference only: a shift makes all others.
fn difference(english: &str, chinese: &str) -> Result<(), String> {
    let (english, chinese) = (parts(english), parts(chinese));
    for (one, other) in english.iter().zip(&chinese) {
        let place = format!("README.md:{}, README.zh-CN.md:{}", one.line, other.line);
        if one.kind != other.kind {
            return Err(format!(
                "{place}: not the same kind of text:\n{one:?}\n{other:?}"
            ));
        }
        if one.text.is_empty() != other.text.is_empty() {
            return Err(format!(
                "{place}: only one of them is empty:\n{one:?}\n{other:?}"
            ));
        }
        if one.kind == Kind::Comment && one.text != other.text {
            return Err(format!("{place}: not the same comment"));
        }
        for (what, of) in [
            ("code", code_of as fn(&str) -> Bag),
            ("links", links_of),
            ("figures", figures_of),
            ("emphasis", strong_of),
        ] {
            let (left, right) = (of(&one.text), of(&other.text));
            if left != right {
                let of_one: Vec<_> = left
                    .iter()
                    .filter(|(word, count)| right.get(*word) != Some(count))
                    .collect();
                let of_other: Vec<_> = right
                    .iter()
                    .filter(|(word, count)| left.get(*word) != Some(count))
                    .collect();
                return Err(format!(
                    "{place}: not the same {what}:\n{of_one:?}\n{of_other:?}"
                ));
            }
        }
    }
    match english.len().cmp(&chinese.len()) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Less => Err(format!(
            "README.zh-CN.md:{}: not in README.md",
            chinese[english.len()].line
        )),
        std::cmp::Ordering::Greater => Err(format!(
            "README.md:{}: not translated",
            english[chinese.len()].line
        )),
    }
}

/// Of each section of the page its heading and a checksum (FNV-1a) of its text, wherever the lines
/// are broken.
fn stamp(page: &str) -> String {
    let mut stamp = String::new();
    let mut section = ("", 0xcbf2_9ce4_8422_2325_u64);
    let mut write = |(heading, sum): (&str, u64)| {
        if !heading.is_empty() {
            let _ = writeln!(stamp, "{sum:016x} {heading}");
        }
    };
    let mut code = false;
    for line in page.lines() {
        code ^= line.trim_start().starts_with("```");
        if line.starts_with('#') && !code {
            write(section);
            section = (line, 0xcbf2_9ce4_8422_2325);
        } else if !line.contains("简体中文") {
            let words = line
                .split_whitespace()
                .flat_map(|word| word.bytes().chain([b' ']));
            section.1 = words.fold(section.1, |sum, byte| {
                (sum ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
            });
        }
    }
    write(section);
    stamp
}

/// The place of a heading in its page, as GitHub calls it.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    text.chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

#[test]
fn the_translation_has_the_same_parts_code_and_figures() {
    difference(ENGLISH, CHINESE).unwrap_or_else(|what| panic!("{what}"));
}

#[test]
fn the_translation_was_looked_at_when_the_original_changed_last() {
    let (_, theirs) = CHINESE
        .split_once(STAMP)
        .expect("README.zh-CN.md ends with the stamp");
    let theirs = theirs.trim().trim_end_matches("-->").trim_end();
    let ours = stamp(ENGLISH);
    let changed: Vec<&str> = ours
        .lines()
        .filter(|line| !theirs.lines().any(|other| other == *line))
        .collect();
    assert!(
        theirs == ours.trim_end(),
        "README.md has changed in these sections: {changed:#?}\nTranslate that in README.zh-CN.md, and put this at its end:\n\
         \n{STAMP}\n{ours}-->\n"
    );
}

#[test]
fn every_link_within_the_two_pages_leads_somewhere() {
    for (name, page) in [("README.md", ENGLISH), ("README.zh-CN.md", CHINESE)] {
        let anchors = |page: &str| -> Vec<String> {
            let parts = parts(page);
            let headings = parts
                .iter()
                .filter(|part| matches!(part.kind, Kind::Heading(_)));
            headings.map(|part| anchor(&part.text)).collect()
        };
        let (parts, own) = (parts(page), anchors(page));
        // In another page of ours.
        let elsewhere = |file: &str, place: &str| {
            let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file));
            text.is_ok_and(|text| anchors(&text).iter().any(|anchor| anchor == place))
        };
        for part in &parts {
            for (target, _) in part
                .text
                .split("](")
                .skip(1)
                .filter_map(|rest| rest.split_once(')'))
            {
                let there = match target.split_once('#') {
                    _ if target.contains("://") => true,
                    Some(("", place)) => own.iter().any(|anchor| anchor == place),
                    Some((file, place)) => elsewhere(file, place),
                    None => Path::new(env!("CARGO_MANIFEST_DIR")).join(target).exists(),
                };
                assert!(there, "{name}:{}: nothing at {target}", part.line);
            }
        }
    }
    assert!(
        CHINESE.contains("[English](README.md) | 简体中文"),
        "no way from the translation to the original"
    );
}

#[test]
fn a_change_of_one_page_alone_is_noticed() {
    let page = "# A\n\nOne `code` in 5 s, [here](docs/a.md).\n\n- first\n- second\n\n| a | b |\n|---|---|\n| `k` | 7 ms |\n\n\
                ```sh\nrun --now      # a word\n# another\n```\n\n## B\n\nThe end.\n";
    assert_eq!(difference(page, page), Ok(()));
    for (from, to) in [
        ("5 s", "6 s"),
        ("`code`", "`cod`"),
        ("docs/a.md", "docs/b.md"),
        ("- second\n", ""),
        ("| `k` | 7 ms |\n", ""),
        ("7 ms", "8 ms"),
        ("7 ms", ""),
        ("run --now", "run --later"),
        ("## B", "### B"),
        ("\n\nThe end.", ""),
        ("The end.", "The end.\n\nMore."),
        ("# another\n", ""),
        ("One", "**One**"),
    ] {
        let changed = page.replace(from, to);
        assert!(
            changed != page && difference(page, &changed).is_err(),
            "{from} became {to:?}, and nobody noticed"
        );
        assert!(
            difference(&changed, page).is_err(),
            "{to:?} became {from}, and nobody noticed"
        );
    }
    let translated = page
        .replace("a word", "一个词")
        .replace("another", "另一个")
        .replace("The end.", "完。");
    assert_eq!(difference(page, &translated), Ok(()));
    assert_ne!(
        stamp(page),
        stamp(&page.replace("The end.", "The very end."))
    );
    assert_eq!(
        stamp(page),
        stamp(&page.replace("One `code` in", "One `code`\nin"))
    );
}
