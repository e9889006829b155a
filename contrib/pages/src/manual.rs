//! Manual pages: of each program, and of each sub-command, in section 8.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};
use keepalived_redis::config::{DEFAULT_PATH, LOG_DIR, Rollback, STATE_DIR};
use keepalived_redis::node::journal::{CHECKS, TRANSITIONS};

const SECTION: &str = "8";
/// How a text that tells the exit codes begins.
const EXITS: &str = "Exit codes: ";
/// Pages of others that belong to it.
const OTHERS: [(&str, &str); 4] = [
    ("keepalived", "8"),
    ("keepalived.conf", "5"),
    ("redis-cli", "1"),
    ("redis-check-rdb", "1"),
];

/// Each page, where it lies below `/usr/share`, and its text.
///
/// # Errors
/// A page could not be rendered.
pub fn pages(programs: &[Command]) -> Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut trees: Vec<Command> = Vec::new();
    for program in programs {
        let mut tree = program.clone().disable_help_subcommand(true);
        tree.build();
        trees.push(tree);
    }
    let names: Vec<String> = trees.iter().map(page_name).collect();
    let mut pages = Vec::new();
    for tree in &trees {
        write_tree(tree, &[], &names, &mut pages)?;
    }
    Ok(pages)
}

/// The page of `command`, and those of its sub-commands; `above` are the commands that it is a word
/// of, the program first.
fn write_tree(
    command: &Command,
    above: &[&Command],
    programs: &[String],
    pages: &mut Vec<(PathBuf, Vec<u8>)>,
) -> Result<()> {
    let name = page_name(command);
    let text =
        page(command, above, programs).with_context(|| format!("rendering {name}.{SECTION}"))?;
    pages.push((
        Path::new("man")
            .join(format!("man{SECTION}"))
            .join(format!("{name}.{SECTION}")),
        text,
    ));
    let above: Vec<&Command> = above.iter().copied().chain([command]).collect();
    for word in words(command) {
        write_tree(word, &above, programs, pages)?;
    }
    Ok(())
}

fn page(command: &Command, above: &[&Command], programs: &[String]) -> Result<Vec<u8>> {
    // A sub-command has no version of its own.
    let version = above
        .iter()
        .chain([&command])
        .find_map(|one| one.get_version())
        .unwrap_or_default();
    let man = Man::new(command.clone())
        .title(page_name(command).to_uppercase())
        .section(SECTION)
        .source(format!("keepalived-redis {version}"))
        .manual("Redis behind keepalived");
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    if words(command).next().is_some() {
        man.render_subcommands_section(&mut text)?;
    }
    man.render_options_section(&mut text)?;
    let mut more = Roff::new();
    exits(&mut more, command, above);
    notes(&mut more, command);
    environment(&mut more, above.first().copied().unwrap_or(command));
    files(&mut more);
    see_also(&mut more, command, above, programs);
    more.to_writer(&mut text)?;
    Ok(text)
}

/// What the command says of its exit codes, or else the one above it.
fn exits(roff: &mut Roff, command: &Command, above: &[&Command]) {
    let said = std::iter::once(command)
        .chain(above.iter().rev().copied())
        .find_map(|one| {
            let codes = paragraphs(one)
                .into_iter()
                .find_map(|text| text.strip_prefix(EXITS).map(str::to_string))?;
            Some(codes)
        });
    let Some(said) = said else { return };
    roff.control("SH", ["EXIT STATUS"]);
    for (code, meaning) in meanings(&said) {
        roff.control("TP", [])
            .text([bold(code)])
            .text([roman(meaning)]);
    }
}

/// "0 yes, 1 no, or not yet, 2 wrong usage.": each code with what it means.
fn meanings(said: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let said = said.strip_suffix('.').unwrap_or(said);
    for part in said.split(", ") {
        let (first, rest) = part.split_once(' ').unwrap_or((part, ""));
        match found.last_mut() {
            Some((_, meaning)) if first.parse::<u8>().is_err() => {
                meaning.push_str(", ");
                meaning.push_str(part);
            }
            _ => found.push((first.to_string(), rest.to_string())),
        }
    }
    found
}

/// All else that the command says at the end of its help.
fn notes(roff: &mut Roff, command: &Command) {
    let notes: Vec<String> = paragraphs(command)
        .into_iter()
        .filter(|text| !text.starts_with(EXITS))
        .collect();
    for (number, note) in notes.into_iter().enumerate() {
        if number == 0 {
            roff.control("SH", ["NOTES"]);
        } else {
            roff.control("PP", []);
        }
        roff.text([roman(note)]);
    }
}

fn environment(roff: &mut Roff, program: &Command) {
    roff.control("SH", ["ENVIRONMENT"]);
    listed(
        roff,
        "KEEPALIVED_REDIS_CONFIG",
        "the configuration file, where --config does not name one",
    );
    listed(
        roff,
        "REDISCLI_AUTH",
        "the password of Redis; it comes before the one in the configuration",
    );
    if program.has_subcommands() {
        listed(
            roff,
            "NO_COLOR",
            "set, and not empty: no colours, on a terminal either",
        );
    }
}

fn files(roff: &mut Roff) {
    roff.control("SH", ["FILES"]);
    listed(
        roff,
        DEFAULT_PATH,
        "the configuration, the same on every node",
    );
    listed(
        roff,
        &format!("{LOG_DIR}/{TRANSITIONS}"),
        "the journal of transitions: what was done, and why",
    );
    listed(
        roff,
        &format!("{LOG_DIR}/{CHECKS}"),
        "the journal of the checks: a line for each change of verdict",
    );
    listed(roff, STATE_DIR, "what this node remembers");
    let rollback = Rollback::default().dir;
    listed(
        roff,
        &rollback.display().to_string(),
        "rollback files: data that was kept before this node dropped it, and that may be nowhere \
         else",
    );
}

fn listed(roff: &mut Roff, what: &str, meaning: &str) {
    roff.control("TP", [])
        .text([italic(what)])
        .text([roman(meaning)]);
}

/// The command above and those below; all programs; those of others.
fn see_also(roff: &mut Roff, command: &Command, above: &[&Command], programs: &[String]) {
    let own = page_name(command);
    let mut names: Vec<String> = above.iter().map(|one| page_name(one)).collect();
    names.extend(words(command).map(page_name));
    if let Some(parent) = above.last() {
        names.extend(words(parent).map(page_name));
    }
    for program in programs {
        if !names.contains(program) {
            names.push(program.clone());
        }
    }
    names.retain(|name| *name != own);
    let ours = names.iter().map(|name| (name.as_str(), SECTION));
    let mut line: Vec<Inline> = Vec::new();
    for (name, section) in ours.chain(OTHERS) {
        if !line.is_empty() {
            line.push(roman(", "));
        }
        line.push(bold(name));
        line.push(roman(format!("({section})")));
    }
    roff.control("SH", ["SEE ALSO"]).text(line);
}

/// What stands at the end of the command's help, a paragraph each.
fn paragraphs(command: &Command) -> Vec<String> {
    let text = command
        .get_after_long_help()
        .or_else(|| command.get_after_help());
    let text = text.map(ToString::to_string).unwrap_or_default();
    text.split("\n\n")
        .map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|s| !s.is_empty())
        .collect()
}

fn words(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|word| !word.is_hide_set())
}

/// `keepalived-redis-status`.
fn page_name(command: &Command) -> String {
    command
        .get_display_name()
        .unwrap_or_else(|| command.get_name())
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::programs;

    fn text_of(name: &str) -> String {
        let file = format!("man/man8/{name}.8");
        let page = pages(&programs())
            .unwrap()
            .into_iter()
            .find(|(path, _)| path == Path::new(&file));
        String::from_utf8(page.unwrap_or_else(|| panic!("no {file}")).1).unwrap()
    }

    #[test]
    fn every_program_and_every_word_of_it_has_a_page_of_its_own() {
        fn count(command: &Command) -> usize {
            1 + command
                .get_subcommands()
                .filter(|word| !word.is_hide_set())
                .map(count)
                .sum::<usize>()
        }
        let programs = programs();
        let pages = pages(&programs).unwrap();
        assert_eq!(pages.len(), programs.iter().map(count).sum::<usize>());
        assert!(pages.len() > programs.len());
        for (path, text) in &pages {
            let text = String::from_utf8_lossy(text);
            for section in [
                "NAME",
                "SYNOPSIS",
                "DESCRIPTION",
                "OPTIONS",
                "\"EXIT STATUS\"",
                "FILES",
                "\"SEE ALSO\"",
            ] {
                assert!(
                    text.contains(&format!("\n.SH {section}\n")),
                    "{}: no {section}",
                    path.display()
                );
            }
        }
    }

    #[test]
    fn a_page_of_a_word_knows_the_pages_around_it() {
        let page = text_of("keepalived-redis-rollback-list");
        for name in [
            "keepalived\\-redis",
            "keepalived\\-redis\\-rollback",
            "check_redis",
            "keepalived",
        ] {
            assert!(
                page.contains(&format!("\\fB{name}\\fR(8)")),
                "no {name}: {page}"
            );
        }
        assert!(
            !page.contains("\\fBkeepalived\\-redis\\-rollback\\-list\\fR(8)"),
            "itself: {page}"
        );
        assert!(text_of("keepalived-redis").contains("\\fBkeepalived\\-redis\\-status\\fR(8)"));
    }

    #[test]
    fn exit_codes_are_taken_apart_and_commas_in_what_they_mean_are_kept() {
        let list =
            meanings("0 yes or done, 1 no (or not yet, says one line), 3 cannot tell (a, or 7 b).");
        let expected = [
            ("0", "yes or done"),
            ("1", "no (or not yet, says one line)"),
            ("3", "cannot tell (a, or 7 b)"),
        ];
        let list: Vec<(&str, &str)> = list
            .iter()
            .map(|(code, meaning)| (code.as_str(), meaning.as_str()))
            .collect();
        assert_eq!(list, expected);
        assert_eq!(
            meanings("as everywhere"),
            [("as".to_string(), "everywhere".to_string())]
        );
    }

    #[test]
    fn a_word_that_says_nothing_of_its_exit_codes_has_those_of_the_program() {
        let word = Command::new("b").after_help("A note.\n\nAnother one.");
        let mut program = Command::new("a")
            .after_help("Exit codes: 0 well, 1 not.")
            .subcommand(word);
        program.build();
        let page = page(program.find_subcommand("b").unwrap(), &[&program], &[]).unwrap();
        let page = String::from_utf8(page).unwrap();
        assert!(
            page.contains("\\fB0\\fR\nwell\n.TP\n\\fB1\\fR\nnot\n"),
            "{page}"
        );
        assert!(
            page.contains(".SH NOTES\nA note.\n.PP\nAnother one.\n"),
            "{page}"
        );
    }
}
