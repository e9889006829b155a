//! A rollback file as it lies there: whose it is, and what is wrong with it.

use std::fs;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::act::rollback::{About, whose};

/// No text of ours is longer.
const LONGEST_TEXT: u64 = 1 << 20;
/// `20261126T052217.123`.
const STAMP: usize = 19;

/// A rollback file, or what is left of one.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// The name of the `.rdb`.
    pub name: String,
    pub path: PathBuf,
    /// Its size; `None` where there is only a text.
    pub bytes: Option<u64>,
    /// What its text says, or why that says nothing.
    pub about: Result<About, String>,
}

impl Found {
    /// The file at `path` and the text beside it.
    pub(crate) fn at(path: &Path) -> Found {
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        let bytes = fs::metadata(path)
            .ok()
            .filter(fs::Metadata::is_file)
            .map(|file| file.len());
        Found {
            name,
            path: path.to_path_buf(),
            bytes,
            about: read_text(&path.with_extension("json")),
        }
    }

    /// The time in its name, by which it can be asked for; the whole name where there is none.
    pub(crate) fn stamp(&self) -> &str {
        let is_stamp = |text: &&str| {
            text.bytes()
                .all(|byte| byte.is_ascii_digit() || b"T.".contains(&byte))
        };
        self.name
            .get(..STAMP)
            .filter(is_stamp)
            .unwrap_or_else(|| self.name.trim_end_matches(".rdb"))
    }

    /// It is of the pair `instance` of these nodes.
    pub(crate) fn is_of(&self, instance: &str, nodes: &[SocketAddr]) -> bool {
        match &self.about {
            Ok(about) => about.instance == instance,
            Err(_) => {
                let stem = self.name.trim_end_matches(".rdb");
                nodes
                    .iter()
                    .any(|node| stem.ends_with(&whose(instance, *node)))
            }
        }
    }

    /// What is wrong with it, as far as a look at it tells.
    pub(crate) fn trouble(&self) -> Option<String> {
        match (self.bytes, &self.about) {
            (None, _) => Some(
                "its text is there and the file is not: the program that kept it was ended, or \
                 somebody removed it"
                    .to_owned(),
            ),
            (Some(bytes), Ok(about)) if about.bytes != bytes => Some(format!(
                "it has {bytes} bytes and had {} when it was kept: it is damaged",
                about.bytes
            )),
            (Some(_), Err(why)) => Some(why.clone()),
            (Some(_), Ok(_)) => None,
        }
    }
}

fn read_text(path: &Path) -> Result<About, String> {
    let mut text = String::new();
    let file = match fs::File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(
                "no text beside it (.json): nothing is known of it but its name".to_owned(),
            );
        }
        file => file.map_err(|error| format!("reading its text: {error}"))?,
    };
    file.take(LONGEST_TEXT)
        .read_to_string(&mut text)
        .map_err(|error| format!("reading its text: {error}"))?;
    serde_json::from_str(&text).map_err(|error| format!("its text (.json) is damaged: {error}"))
}
