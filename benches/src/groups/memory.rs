//! Memory: the bytes of a key. Each contender is measured in a process of its own, so that no memory of another one is
//! used again.

use super::grouped;
use crate::contenders::{Contender, Info, Visit, each, ours};
use crate::keys::Key;
use crate::measure::Settings;
use crate::report::Part;
use crate::waiting::enter;
use std::env::current_exe;
use std::process::{Command, ExitCode};
use std::time::Duration;

/// The names of the two measurements that only ours has.
const FAILED: &str = "ours, a key that failed";
const HELD: &str = "ours, a lease that is held";

/// The resident memory of this process, in bytes.
fn resident() -> Result<u64, String> {
    let status = std::fs::read_to_string("/proc/self/status").map_err(|why| why.to_string())?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes =
        line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    Ok(kibibytes.ok_or("no line VmRSS")? * 1_024)
}

/// How much the resident memory grows while `fill` runs. What it returns is kept until then.
fn grown<T>(fill: impl FnOnce() -> T) -> Result<u64, String> {
    let before = resident()?;
    let kept = fill();
    // Some work is left to threads of the cache.
    std::thread::sleep(Duration::from_millis(50));
    let after = resident()?;
    drop(kept);
    Ok(after.saturating_sub(before))
}

/// Measures the contender of one name.
struct One<'a> {
    name: &'a str,
    keys: u64,
    found: Option<Result<u64, String>>,
}

impl Visit for One<'_> {
    fn visit<C: Contender>(&mut self, info: Info, make: fn() -> C) {
        if info.name == self.name {
            let keys = self.keys;
            let fill = || {
                let contender = make();
                (0..keys).for_each(|number| contender.insert(Key::of(number)));
                contender
            };
            self.found = Some(grown(fill));
        }
    }
}

/// Prints the bytes of so many keys. Exit code 2: there is no such contender.
pub fn child(name: &str, keys: u64) -> ExitCode {
    let _entered = enter();
    let found = match name {
        FAILED => Some(grown(|| ours::failed(keys))),
        HELD => Some(grown(|| ours::held(keys))),
        _ => {
            let mut one = One { name, keys, found: None };
            each::<u64>(&mut one);
            one.found
        }
    };
    match found.unwrap_or_else(|| Err(format!("there is no contender {name}"))) {
        Ok(bytes) => {
            println!("{bytes}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("xfetch-benches: {why}");
            ExitCode::from(2)
        }
    }
}

fn measured(name: &str, keys: u64) -> Result<u64, String> {
    let program = current_exe().map_err(|why| why.to_string())?;
    let keys = keys.to_string();
    let run = Command::new(program).args(["--memory-of", name, "--keys", &keys]).output();
    let run = run.map_err(|why| why.to_string())?;
    let text = String::from_utf8_lossy(&run.stdout);
    text.trim().parse().map_err(|_| String::from_utf8_lossy(&run.stderr).into_owned())
}

/// The names of the contenders that differ in memory.
#[derive(Default)]
struct Names(Vec<&'static str>);

impl Visit for Names {
    fn visit<C: Contender>(&mut self, info: Info, _: fn() -> C) {
        let same =
            ["ours, `get`", "ours, `Metrics`", "ours, `capacity`", "floor: papaya, no clone"];
        if !same.contains(&info.name) {
            self.0.push(info.name);
        }
    }
}

pub fn run(settings: &Settings) -> Part {
    let keys = settings.either(1_000_000, 20_000);
    let few = settings.either(100_000, 5_000);
    let mut part = Part::new("Memory");
    part.paragraph(&format!(
        "Each contender gets {} keys of type `u64` with values of 64 bytes, in a process of its own. The cells are \
         the growth of the resident memory, divided by the number of keys; so they have the allocator's part, and the \
         room that a table keeps for growth. The keys of cacheflight and amalgam are text of 18 bytes. The last two \
         rows have {} keys: absent keys whose compute failed, which back off, and stale keys whose refresh waits \
         for a thread. The latter has the value too.",
        grouped(keys),
        grouped(few),
    ));
    let mut names = Names::default();
    each::<u64>(&mut names);
    let all = names.0.into_iter().map(|name| (name, keys)).chain([(FAILED, few), (HELD, few)]);
    let mut rows = Vec::new();
    for (name, keys) in all {
        let cell = match measured(name, keys) {
            Ok(bytes) => format!("{:.0}", bytes as f64 / keys as f64),
            Err(why) => {
                part.faults.push(format!("the memory of {name}: {why}"));
                "-".into()
            }
        };
        rows.push(vec![name.to_owned(), cell]);
    }
    part.table(&["contender", "bytes of a key"], rows);
    part
}
