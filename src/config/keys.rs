//! Which keys there are, and which one was meant by a key that means nothing.

use crate::server::renamed::RENAMABLE;

/// Every section and its keys; the first is what stands before any section. A dot is a section
/// within another.
pub const SECTIONS: &[(&str, &[&str])] = &[
    ("", &["nodes", "vip", "local"]),
    ("auth", &["username", "password_file"]),
    ("tls", &["ca", "cert", "key", "server_name"]),
    (
        "timing",
        &[
            "check",
            "connect",
            "command",
            "delay",
            "sync",
            "alone_after",
            "hang",
        ],
    ),
    ("policy", &["max_lag", "term_key", "outdated"]),
    ("flap", &["count", "window", "hold"]),
    ("rollback", &["mode", "dir", "keep", "days"]),
    ("log", &["dir"]),
    ("memory", &["dir"]),
    ("hooks", &["on_transition", "timeout"]),
    ("commands", &RENAMABLE),
    (
        "sentinel",
        &[
            "master_name",
            "nodes",
            "quorum",
            "when_sentinels_silent",
            "username",
            "password_file",
        ],
    ),
    ("sentinel.tls", &["ca", "cert", "key", "server_name"]),
];

pub(crate) fn keys(section: &str) -> &'static [&'static str] {
    SECTIONS
        .iter()
        .find(|(known, _)| *known == section)
        .map_or(&[], |(_, keys)| keys)
}

/// The section called `name` within `section`: its full name, and the last part of that.
pub(crate) fn within(section: &str, name: &str) -> Option<(&'static str, &'static str)> {
    SECTIONS[1..]
        .iter()
        .map(|(full, _)| (*full, full.rsplit_once('.').unwrap_or(("", full))))
        .find_map(|(full, (outer, inner))| {
            (outer == section && inner == name).then_some((full, inner))
        })
}

/// What may have been meant, and what is allowed.
pub(crate) fn hint(section: &str, name: &str) -> String {
    if matches!(section, "auth" | "sentinel") && name.contains("pass") {
        return format!(
            "the password stands in a file of mode 0600, named by {section}.password_file"
        );
    }
    let mut allowed: Vec<String> = keys(section).iter().map(|key| (*key).to_owned()).collect();
    let inner = SECTIONS[1..].iter().filter(|(full, _)| {
        within(section, full.rsplit('.').next().unwrap_or(full))
            .is_some_and(|(found, _)| found == *full)
    });
    allowed.extend(inner.map(|(full, _)| format!("[{full}]")));
    let meant = elsewhere(section, name).or_else(|| {
        // Longer names are not worth the time.
        if name.len() > 32 {
            return None;
        }
        let far = |key: &String| strsim::levenshtein(key.trim_matches(['[', ']']), name);
        let (nearest, letters) = allowed
            .iter()
            .map(|key| (key, far(key)))
            .min_by_key(|(_, far)| *far)?;
        // Where half of the letters differ it is another word.
        (letters <= 2 && letters * 2 < name.len()).then(|| format!("did you mean {nearest}? "))
    });
    format!(
        "{}allowed here: {}",
        meant.unwrap_or_default(),
        allowed.join(", ")
    )
}

/// A key in the wrong section, the commonest slip of TOML: a line moved below a `[section]`.
pub(crate) fn elsewhere(section: &str, name: &str) -> Option<String> {
    let holds = |(other, keys): &&(&str, &[&str])| *other != section && keys.contains(&name);
    let mut homes = SECTIONS.iter().filter(holds);
    match (homes.next()?, homes.next()) {
        (("", _), _) => Some(format!("{name} stands at the top, before any [section]; ")),
        ((home, _), None) => Some(format!("{name} belongs into [{home}]; ")),
        _ => None,
    }
}
