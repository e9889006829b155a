//! Advice that changes a line or a block of keepalived.conf.

use crate::console::doctor::finding::Fix;
use crate::keepalived_conf::vrrp::{Instance, Script};

pub(crate) fn line_or_block<'s>(
    script: &'s Script,
    name: &str,
) -> Option<&'s crate::keepalived_conf::Place> {
    script.block.get(&[name]).map(|line| &line.place)
}

/// Writes `name value` into the script's block, in place of such a line where there is one.
pub(crate) fn set(script: &Script, name: &str, value: impl std::fmt::Display) -> Fix {
    let text = format!("    {name} {value}");
    line_or_block(script, name).map_or_else(
        || Fix::insert(&script.block.open, &text),
        |place| Fix::replace(place, &text),
    )
}

/// A line `word` in the instance's block `block`, or the block.
pub(crate) fn track(instance: &Instance, block: &str, word: &str) -> Fix {
    match instance.block.get(&[block]) {
        Some(block) => Fix::insert(&block.open, format!("        {word}")),
        None => Fix::insert(
            &instance.block.open,
            format!("    {block} {{\n        {word}\n    }}"),
        ),
    }
}
