//! The files of TLS: read, and put together.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use super::ConfigError;
use super::password_file::{self, Access};
use crate::server::tls::{Files, Part, Texts, Tls};

/// A bundle of all public authorities is a quarter of that.
const LARGEST_FILE: u64 = 1 << 20;

/// What `section` names, all of it good: the key closed to others as a password is.
pub(crate) fn read(section: &str, files: Files) -> Result<Arc<Tls>, ConfigError> {
    let name = |part| match part {
        Part::Ca => format!("{section}.ca"),
        Part::Cert => format!("{section}.cert"),
        Part::Key => format!("{section}.key"),
    };
    let text = |part, path: &Path, access| text(&name(part), path, access);
    let mut texts = Texts {
        ca: text(Part::Ca, &files.ca, Access::Open)?,
        client: None,
    };
    if let Some((cert, key)) = &files.client {
        texts.client = Some((
            text(Part::Cert, cert, Access::Open)?,
            text(Part::Key, key, Access::Private)?,
        ));
    }
    Tls::new(files.clone(), texts)
        .map(Arc::new)
        .map_err(|(part, reason)| {
            let client = files.client.unwrap_or_default();
            let path = match part {
                Part::Ca => files.ca,
                Part::Cert => client.0,
                Part::Key => client.1,
            };
            ConfigError::File {
                what: name(part),
                path,
                reason,
            }
        })
}

/// What is left of files that were good before.
pub(crate) fn read_leniently(files: Files) -> Option<Arc<Tls>> {
    let read = |path: &Path| text("", path, Access::Open).ok();
    let client = files
        .client
        .as_ref()
        .and_then(|(cert, key)| Some((read(cert)?, read(key)?)));
    Tls::of_what_is_good(
        files.clone(),
        Texts {
            ca: read(&files.ca).unwrap_or_default(),
            client,
        },
    )
    .map(Arc::new)
}

fn text(what: &str, path: &Path, access: Access) -> Result<Vec<u8>, ConfigError> {
    let wrong = |reason: String| ConfigError::File {
        what: what.to_owned(),
        path: path.to_owned(),
        reason,
    };
    let file = password_file::open(path, access).map_err(wrong)?;
    let bytes = whole(file).map_err(|error| wrong(format!("can't be read: {error}")))?;
    match bytes.len() as u64 {
        0 => Err(wrong("empty".to_owned())),
        length if length > LARGEST_FILE => Err(wrong("larger than 1 MiB".to_owned())),
        _ => Ok(bytes),
    }
}

fn whole(file: File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(4096);
    file.take(LARGEST_FILE + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
