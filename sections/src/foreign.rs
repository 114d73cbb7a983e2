//! Scheduling points that are not ours: where a task uses Shuttle's primitives.

use std::backtrace::Backtrace;

/// The packages between a user's code and the bridge. A symbol begins with their names, and so do the folders of their
/// sources.
const BETWEEN: &[&str] =
    &["std", "core", "alloc", "__rustc", "shuttle", "corosensei", "scoped", "tracing", "generator"];
/// The sources of this package, without its own tests, which are a user's code.
const OURS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/");

/// The place in a user's code that the running task is at, if the stack tells.
pub(crate) fn place() -> Option<String> {
    // The long form has the full paths.
    place_in(&format!("{:#}", Backtrace::force_capture()))
}

/// The first frame of a user's code: its function, and its line if that is known.
fn place_in(backtrace: &str) -> Option<String> {
    let mut lines = backtrace.lines().peekable();
    while let Some(line) = lines.next() {
        let line = line.trim_start();
        // A frame is `7: 0x55d0 - name`. One that was compiled into another has no address.
        let numbered = line.split_once(": ").filter(|(number, _)| number.parse::<u32>().is_ok());
        let frame = numbered.map_or(line, |(_, frame)| frame.trim_start());
        let name = frame.split_once(" - ").map_or(frame, |(_, name)| name);
        let source = lines.peek().and_then(|line| line.trim_start().strip_prefix("at "));
        if line.starts_with("at ") || !source.map_or_else(|| has_users_name(name), is_users_source)
        {
            continue;
        }
        return Some(source.map_or_else(|| name.to_owned(), |at| format!("{name} at {at}")));
    }
    None
}

fn has_users_name(name: &str) -> bool {
    let Some((package, path)) = name.trim_start_matches(['<', '&', '*']).split_once("::") else {
        return false;
    };
    let ours = package == "sections" && !path.starts_with("litmus::");
    !ours && !BETWEEN.iter().any(|between| package.starts_with(between))
}

fn is_users_source(path: &str) -> bool {
    let ours = path.strip_prefix(OURS).is_some_and(|file| !file.starts_with("litmus"));
    let of_rust = path.starts_with("/rustc/") || path.contains("/lib/rustlib/src/");
    let is_between = |folder: &str| {
        BETWEEN
            .iter()
            .any(|name| folder.strip_prefix(name).is_some_and(|rest| rest.starts_with('-')))
    };
    path.contains(".rs:") && !ours && !of_rust && !path.split(['/', '\\']).any(is_between)
}

#[cfg(test)]
mod tests {
    use super::{OURS, place_in};

    #[test]
    fn the_place_is_the_first_frame_that_is_not_a_librarys() {
        let text = format!(
            "   0:     0x55d0 - <std::backtrace::Backtrace>::create\n   \
             1:     0x55d1 - {{closure#0}}<u32>\n             at {OURS}scheduler.rs:7:9\n   \
             2:     0x55d2 - <shuttle_std::sync::Mutex<u32>>::lock\n   \
             3:     0x55d3 - lock\n             at /home/.cargo/shuttle-std-0.1.5/src/sync.rs:1:1\n   \
             4:     0x55d4 - main\n   \
             5:     0x55d5 - work\n             at /mine/src/lib.rs:3:5\n   \
             6:     0x55d6 - mine::outer\n"
        );
        assert_eq!(place_in(&text).unwrap(), "work at /mine/src/lib.rs:3:5");
        let by_name = "   0:     0x1 - core::ops::call\n   1:     0x2 - mine::work\n";
        assert_eq!(place_in(by_name).unwrap(), "mine::work");
        assert_eq!(place_in("   0:     0x1 - main\n   1:     0x2 - core::ops::call\n"), None);
    }
}
