//! Shell completions, by the names under which the shells look for them.

use std::path::PathBuf;

use clap::Command;
use clap_complete::{Shell, generate};

/// Each file, where it lies below `/usr/share`, and its text. Debian's zsh looks in
/// `vendor-completions` instead.
pub fn files(programs: &[Command]) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for program in programs {
        let name = program.get_name().to_string();
        for (shell, path) in [
            (Shell::Bash, format!("bash-completion/completions/{name}")),
            (Shell::Zsh, format!("zsh/site-functions/_{name}")),
            (
                Shell::Fish,
                format!("fish/vendor_completions.d/{name}.fish"),
            ),
        ] {
            let mut text = Vec::new();
            generate(shell, &mut program.clone(), &name, &mut text);
            files.push((path.into(), text));
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::programs;

    #[test]
    fn every_program_has_one_of_each_shell_with_all_its_options() {
        let programs = programs();
        let files = files(&programs);
        assert_eq!(files.len(), 3 * programs.len());
        for program in &programs {
            for (path, text) in files.iter().filter(|(path, _)| {
                let file = path.file_stem().unwrap_or_default().to_string_lossy();
                file.trim_start_matches('_') == program.get_name()
            }) {
                let text = String::from_utf8_lossy(text);
                for long in program.get_arguments().filter_map(|arg| arg.get_long()) {
                    assert!(text.contains(long), "{}: no --{long}", path.display());
                }
                for word in program.get_subcommands() {
                    assert!(
                        text.contains(word.get_name()),
                        "{}: no {}",
                        path.display(),
                        word.get_name()
                    );
                }
            }
        }
    }
}
