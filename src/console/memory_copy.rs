//! What this node remembers, for a command that only looks: it may neither add to it nor take from
//! it.

use std::fs;

use crate::config::Config;

/// Everything that is remembered counts as unknown, and nothing can be written down.
pub(crate) fn without_memory(config: &Config) -> Config {
    Config {
        memory_dir: "/proc/none".into(),
        ..config.clone()
    }
}

/// A look and a check remember what they saw. Here they do so in a copy, which goes away with `act`.
///
/// # Errors
/// A sentence that names the directory that could not be copied; `act` was not done.
pub(crate) fn with_a_copy_of_memory<T>(
    config: &Config,
    act: impl FnOnce(&Config) -> T,
) -> Result<T, String> {
    let memory = &config.memory_dir;
    let trouble = |error: std::io::Error| format!("copying {}: {error}", memory.display());
    let copy = tempfile::tempdir().map_err(trouble)?;
    match fs::read_dir(memory) {
        Ok(entries) => {
            for entry in entries
                .flatten()
                .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
            {
                match fs::copy(entry.path(), copy.path().join(entry.file_name())) {
                    // Written anew by rename meanwhile.
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        return Err(trouble(error));
                    }
                    _ => {}
                }
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(trouble(error)),
    }
    Ok(act(&Config {
        memory_dir: copy.path().to_owned(),
        ..config.clone()
    }))
}
