//! A rollback file as it lies there: whose it is, and what is wrong with it.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::act::rollback::name::Place;
use crate::act::rollback::{About, Name, whose};

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
            about: About::beside(path),
        }
    }

    /// The counter and the time in its name, by which it can be asked for; the whole name where
    /// there are none.
    pub(crate) fn stamp(&self) -> String {
        Name::of(&self.path).map_or_else(
            || self.name.trim_end_matches(".rdb").to_owned(),
            |name| name.stamp(),
        )
    }

    /// It is of the pair `instance` of these nodes.
    pub(crate) fn is_of(&self, instance: &str, nodes: &[SocketAddr]) -> bool {
        match &self.about {
            Ok(about) => about.instance == instance,
            Err(_) => {
                let stem = self.name.trim_end_matches(".rdb");
                let named = Name::of(&self.path).map(|name| name.whose);
                nodes.iter().any(|node| {
                    let whose = whose(instance, *node);
                    named
                        .as_ref()
                        .map_or_else(|| stem.ends_with(&whose), |named| *named == whose)
                })
            }
        }
    }

    /// A person's `word` is the beginning of its name, of the time in it, or its counter.
    pub(crate) fn is_called(&self, word: &str) -> bool {
        let counted = match Name::of(&self.path).map(|name| name.place) {
            Some(Place::Counted(counter, time)) => {
                time.starts_with(word) || word.parse() == Ok(counter)
            }
            _ => false,
        };
        !word.is_empty() && (counted || self.name.starts_with(word))
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
