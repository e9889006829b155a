//! Configurations with comments, parameters, includes and lines for one host, read as keepalived
//! reads them.

use proptest::prelude::*;

use super::*;

fn read(host: &str, files: &[(&str, &str)]) -> Conf {
    let text = |path: &Path| {
        let found = files.iter().find(|(name, _)| Path::new(name) == path);
        found
            .map(|(_, text)| (*text).to_owned())
            .ok_or_else(|| "No such file".to_owned())
    };
    let glob = |pattern: &Path| {
        let begin = pattern
            .to_string_lossy()
            .trim_end_matches("*.conf")
            .to_owned();
        let all = files.iter().map(|(name, _)| PathBuf::from(name));
        all.filter(|path| {
            path == pattern || (pattern.to_string_lossy().contains('*') && path.starts_with(&begin))
        })
        .collect()
    };
    Conf::read(
        Path::new("/etc/k.conf"),
        host,
        &Reader {
            read: &text,
            glob: &glob,
        },
    )
    .expect("the file is there")
}

/// `words { ... }` all on one line.
fn flat(statements: &[Statement]) -> String {
    let one = |statement: &Statement| match &statement.block {
        Some(block) => format!("{} {{ {} }}", statement.words.join("|"), flat(block)),
        None => statement.words.join("|"),
    };
    statements.iter().map(one).collect::<Vec<_>>().join("; ")
}

#[test]
fn comments_quotes_braces_and_continued_lines_are_as_keepalived_has_them() {
    for (text, expected) in [
        ("a b # c\n! d\ne", "a|b; e"),
        ("notify \"/x # y\" root", "notify|/x # y|root"),
        ("a {\n b\n}\nc\n{\n d }", "a { b }; c { d }"),
        (
            "virtual_ipaddress { 1.2.3.4 }",
            "virtual_ipaddress { 1.2.3.4 }",
        ),
        ("a \\\n  b", "a|b"),
        ("a \\# b", "a|#|b"),
        ("a {\n b {\n c\n }\n d\n}", "a { b { c }; d }"),
    ] {
        let conf = read("h", &[("/etc/k.conf", text)]);
        assert_eq!(flat(&conf.statements), expected, "{text}");
        assert_eq!(conf.troubles, []);
    }
}

#[test]
fn each_host_reads_its_own_lines_and_the_names_are_known() {
    let text = "@a $SELF=1.1.1.1\n@b $SELF=2.2.2.2\n@^a x\nip $SELF\nb ${SELF}/24\nc $NONE\n";
    for (host, expected) in [
        ("a", "ip|1.1.1.1; b|1.1.1.1/24; c|$NONE"),
        ("b", "x; ip|2.2.2.2; b|2.2.2.2/24; c|$NONE"),
        ("c", "x; ip|$SELF; b|${SELF}/24; c|$NONE"),
    ] {
        let conf = read(host, &[("/etc/k.conf", text)]);
        assert_eq!(flat(&conf.statements), expected, "{host}");
        assert_eq!(conf.names, ["a", "b"]);
    }
}

#[test]
fn parameters_within_parameters_are_put_in_when_they_are_used_and_one_may_be_several_lines() {
    let text = "$A=10.${B}\n$B=1\n${A}.2\n$B=3\n${A}.2\n$L= \\\n one \\\n two\n$L\n$C=@h\n$C \
        mine\n$D=@x\n$D theirs\n$E=$E\n$E";
    let conf = read("h", &[("/etc/k.conf", text)]);
    assert_eq!(flat(&conf.statements), "10.1.2; 10.3.2; one; two; mine; $E");
}

#[test]
fn includes_are_read_where_they_stand_and_what_is_missing_is_said() {
    let files = [
        (
            "/etc/k.conf",
            "a\ninclude d/*.conf\nb\ninclude missing.conf\ninclude loop.conf",
        ),
        ("/etc/d/1.conf", "one\n"),
        ("/etc/d/2.conf", "two {\n"),
        ("/etc/loop.conf", "include loop.conf"),
    ];
    let conf = read("h", &files);
    assert_eq!(flat(&conf.statements), "a; one; two { b }");
    let said: Vec<&str> = conf.troubles.iter().map(|(_, why)| why.as_str()).collect();
    assert_eq!(
        said,
        [
            "include /etc/missing.conf: no such file",
            "/etc/loop.conf is included in itself",
            "a block is not closed: a } is missing"
        ]
    );
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "([@^$a-b{}= \"#!\\\\/.\n]|include |\\$A=){0,80}") {
        let _ = read("a", &[("/etc/k.conf", &text)]);
    }
}
