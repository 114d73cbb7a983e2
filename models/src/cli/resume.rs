//! The file of `explore --resume`: a search that was cut off, until it is at its end.

use super::output::{can_replace, remove, replace};
use super::{Explore, explore, name, note, read};
use std::path::PathBuf;
use xfetch_models::catalogue::Engine;
use xfetch_models::engine::{Build, CutOff, Exploration};

pub(super) struct File {
    path: PathBuf,
    /// As the user wrote it.
    given: PathBuf,
    build: Build,
}

impl File {
    /// Asks before the search whether the file can be written, and reads the search that is in it.
    pub(super) fn open(options: &Explore) -> Result<Option<(Self, Option<CutOff>)>, String> {
        let Some(given) = options.resume.clone() else { return Ok(None) };
        if options.engine != Engine::Sections {
            let (file, engine) = (name(&given), options.engine);
            return Err(format!(
                "resume {file}: {engine} cannot go on with a search; only sections can"
            ));
        }
        let build = Build::of_this_program();
        let build =
            build.map_err(|error| format!("cannot read the file of this program: {error}"))?;
        let path = can_replace(&given)?;
        let mut from = None;
        if path.exists() {
            let read = CutOff::read(
                &read(&path)?,
                options.cell(),
                options.preemptions,
                options.symmetry,
                &build,
            );
            let read = read.map_err(|why| format!("{}: {why}", name(&given)))?;
            note(format_args!("goes on after {} executions: {}", read.executions(), name(&given)));
            from = Some(read);
        }
        Ok(Some((Self { path, given, build }, from)))
    }

    /// Keeps what is left of the search. Nothing is left of a search that has ended.
    pub(super) fn keep(&self, rest: Option<&CutOff>) -> Result<(), String> {
        match rest {
            Some(rest) => replace(&self.path, &rest.text(&self.build)),
            None => remove(&self.path),
        }
    }

    /// The line that says how to go on.
    pub(super) fn again(&self, exploration: &Exploration) -> String {
        let (file, seconds) = (self.given.display().to_string(), exploration.budget.time.as_secs());
        let command = explore::command(exploration);
        format!("cut off; to go on: {command} --time {seconds} --resume {}", quoted(&file))
    }
}

/// A word of a shell's command.
fn quoted(word: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-+,:@%=".contains(letter);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_shell_reads_every_path_as_one_word() {
        assert_eq!(quoted("target/xfetch/field-3.json"), "target/xfetch/field-3.json");
        assert_eq!(quoted("my search"), "'my search'");
        assert_eq!(quoted("it's; $HOME"), "'it'\\''s; $HOME'");
    }
}
