//! What a command writes: its lines, and its file.

use std::fmt::Display;
use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use xfetch_models::catalogue::shown;

/// Why lines of the standard output were lost, if some were.
static LOST: Mutex<Option<io::Error>> = Mutex::new(None);

/// Prints. A reader who has seen enough closes the pipe: that is not an error, and the exit code still says
/// what was found.
pub(super) fn print(text: &str) {
    if let Err(error) = writeln!(io::stdout(), "{}", text.trim_end())
        && error.kind() != ErrorKind::BrokenPipe
    {
        LOST.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }
}

/// Prints a line on the error stream. `eprintln!` would panic if nobody reads it.
pub(super) fn note(line: impl Display) {
    drop(writeln!(io::stderr(), "{line}"));
}

/// Prints one line about bad input. Exit code 2.
pub(super) fn refuse(line: impl Display) -> ExitCode {
    note(format_args!("error: {line}"));
    ExitCode::from(2)
}

/// The exit code of a command that is done: 1 if lines that it printed were lost.
pub(super) fn unless_lost(code: ExitCode) -> ExitCode {
    match &*LOST.lock().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => {
            note(format_args!("error: cannot write to the standard output: {error}"));
            ExitCode::FAILURE
        }
        None => code,
    }
}

/// The most bytes of a path. A longer text is the name of no file.
const PATH_MAX: usize = 4_096;

/// A path as a message shows it: whole, if it can be a path.
pub(super) fn name(path: &Path) -> String {
    let text = path.display().to_string();
    if text.len() > PATH_MAX { shown(&text) } else { text }
}

/// Whether a file can be written, asked before the work whose result it gets. A file that exists keeps what it has.
pub(super) fn can_write(path: &Path) -> Result<(), String> {
    if let Some(folder) = path.parent() {
        let made = std::fs::create_dir_all(folder);
        made.map_err(|error| cannot("make the folder of", path, &error))?;
    }
    let is_new = path.symlink_metadata().is_err();
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(path);
    file.map_err(|error| cannot("write", path, &error))?;
    if is_new {
        // An empty file would be left if the work does not come to its end.
        drop(std::fs::remove_file(path));
    }
    Ok(())
}

/// Writes a file.
pub(super) fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| cannot("write", path, &error))
}

/// Reads a file.
pub(super) fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| cannot("read", path, &error))
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> String {
    format!("cannot {what} {}: {error}", name(path))
}
