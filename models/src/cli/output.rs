//! What a command writes: its lines, and its file.

use serde_json::Value;
use std::fmt::Display;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
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

/// Prints a result for programs.
pub(super) fn print_json(value: &Value) {
    print(&format!("{value:#}"));
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
        let made = fs::create_dir_all(folder);
        made.map_err(|error| cannot("make the folder of", path, &error))?;
    }
    let is_new = path.symlink_metadata().is_err();
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(path);
    file.map_err(|error| cannot("write", path, &error))?;
    if is_new {
        // An empty file would be left if the work does not come to its end.
        drop(fs::remove_file(path));
    }
    Ok(())
}

/// Writes a file.
pub(super) fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| cannot("write", path, &error))
}

/// Reads a file.
pub(super) fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| cannot("read", path, &error))
}

/// Whether a file can be replaced as a whole, asked before the work. Returns its path, behind a link if it is one.
pub(super) fn can_replace(path: &Path) -> Result<PathBuf, String> {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    if path.metadata().is_ok_and(|it| !it.is_file()) {
        return Err(format!("cannot replace {}: it is not a file", name(&path)));
    }
    can_write(&path)?;
    let beside = beside(&path);
    let made = File::create_new(&beside).and_then(|_| fs::remove_file(&beside));
    made.map_err(|error| cannot("write beside", &path, &error))?;
    Ok(path)
}

/// Replaces a file: whoever reads it finds the old text or the new one, and never a part.
pub(super) fn replace(path: &Path, text: &str) -> Result<(), String> {
    let beside = beside(path);
    let replaced = File::create_new(&beside)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&beside, path));
    replaced.map_err(|error| {
        drop(fs::remove_file(&beside));
        cannot("write", path, &error)
    })
}

/// Removes a file, if it is there.
pub(super) fn remove(path: &Path) -> Result<(), String> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(cannot("remove", path, &error)),
        _ => Ok(()),
    }
}

/// A temporary file of this process, in the folder of the file.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    path.with_file_name(name)
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> String {
    format!("cannot {what} {}: {error}", name(path))
}
