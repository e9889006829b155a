//! The units that systemd reads.

use std::path::Path;

fn unit(name: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("share")
        .join(name);
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_watcher_of_an_instance_differs_from_the_only_one_in_what_it_watches_alone() {
    let (only, template) = (
        unit("keepalived-redis-watch.service"),
        unit("keepalived-redis-watch@.service"),
    );
    let differ: Vec<(&String, &String)> = only
        .iter()
        .zip(&template)
        .filter(|(one, other)| one != other)
        .collect();
    assert_eq!(only.len(), template.len());
    assert!(
        differ.iter().all(|(one, _)| ["Description=", "ExecStart="]
            .iter()
            .any(|key| one.starts_with(key))),
        "{differ:?}"
    );
    let command = "ExecStart=/usr/libexec/keepalived/check_redis --config /etc/keepalived/%i.toml \
                   --watch /run/keepalived-redis/%i.watch";
    assert!(template.iter().any(|line| line == command), "{template:?}");
}
