//! The line of the protocol, or of the broken twin, from which each section of an execution was reached.

use crate::catalogue::Protocol;
use crate::history::History;
use crate::replay::{Program, Replayed};
use sections::{Execution, Frame, replay_and, replay_with_stacks};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

/// A line of the sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// The file, from the root of the repository.
    pub file: String,
    /// The line.
    pub line: u32,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// How the build of `core-shuttle` names the files of the core, and how the documents do.
const CORE: (&str, &str) = ("core-shuttle/../../src/", "src/");
/// The same for the scenarios and the twins.
const TEXT: (&str, &str) = ("on-sections/src/../../text/", "models/text/");
/// Where the twins are.
const TWINS: [&str; 2] = ["models/text/twins.rs", "models/text/locks.rs"];

impl Code {
    /// The name of the file, and the line: `lease.rs:160`.
    pub fn short(&self) -> String {
        format!("{}:{}", self.file.rsplit('/').next().unwrap_or_default(), self.line)
    }

    /// The text of the line, if the sources are where they were when this was built.
    pub fn text(&self) -> Option<String> {
        let text = source(&self.file)?;
        let line = usize::try_from(self.line).ok()?.checked_sub(1)?;
        text.lines().nth(line).map(|it| it.trim().to_owned())
    }

    fn of(frame: &Frame) -> Option<Self> {
        [CORE, TEXT].iter().find_map(|(built, shown)| {
            let (_, rest) = frame.file.split_once(built)?;
            Some(Self { file: format!("{shown}{rest}"), line: frame.line })
        })
    }

    /// Whether it is a line of the twin's own.
    pub fn is_of_a_twin(&self) -> bool {
        TWINS.contains(&self.file.as_str())
    }

    /// The innermost line of the protocol. If the twin called it directly, that is the twin's line. If no line of either is
    /// there, it is the innermost one of the core, such as that of a worker.
    fn of_stack(stack: &[Frame]) -> Option<Self> {
        let all: Vec<Self> = stack.iter().filter_map(Self::of).collect();
        let is_of_protocol = |it: &&Self| it.file.starts_with("src/protocol/") || it.is_of_a_twin();
        let mut of_protocol = all.iter().filter(is_of_protocol);
        let innermost = of_protocol.next();
        let of_twin = of_protocol.next().filter(|it| it.is_of_a_twin());
        of_twin.or(innermost).or(all.first()).cloned()
    }
}

/// The line of each section.
pub fn code(replayed: &Replayed) -> Vec<Option<Code>> {
    let program = Program::of(&replayed.token);
    let again = replay_with_stacks(&replayed.execution.schedule, program.body());
    let steps = again.map(|it| it.steps).unwrap_or_default();
    steps.iter().map(|step| Code::of_stack(&step.stack)).collect()
}

/// The steps that the twin took in its own way, by the section in which it did.
pub fn own_steps(replayed: &Replayed) -> BTreeMap<usize, BTreeSet<String>> {
    let Program { scenario, protocol, callers } = Program::of(&replayed.token);
    let body = move || xfetch_on_sections::run_with_decisions(scenario, protocol, callers);
    let taken = |_: &Execution<History>| xfetch_on_sections::decisions();
    let schedule = &replayed.execution.schedule;
    let taken = replay_and(schedule, body, taken).map(|(_, taken)| taken).unwrap_or_default();
    let steps = &replayed.execution.steps;
    let mut own: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    for (section, task, step) in taken {
        // After the last section main looks once more: that is no step of a task.
        if section.checked_sub(1).and_then(|it| steps.get(it)).is_some_and(|it| it.task == task) {
            own.entry(section).or_default().insert(method_name(&format!("{step:?}")));
        }
    }
    own
}

/// The text of a file of the repository, if the sources are where they were when this was built.
fn source(file: &str) -> Option<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
    std::fs::read_to_string(root.join(file)).ok()
}

/// Where the shipped steps are.
const SHIPPED: &str = "src/protocol/mod.rs";

/// A step that a twin does in another way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The method of the trait `Protocol`.
    pub step: String,
    /// What the twin does.
    pub twin: String,
    /// Where that is.
    pub at: Code,
    /// What the shipped protocol does.
    pub shipped: String,
    /// Where that is.
    pub shipped_at: Code,
}

/// The steps of a twin, beside those of the shipped protocol. Empty if the sources are not there.
pub fn differences(twin: Protocol) -> Vec<Difference> {
    let (Some(twins), Some(shipped)) = (source(TWINS[0]), source(SHIPPED)) else {
        return Vec::new();
    };
    let one = |step: String| {
        let (line, text) = arm(&twins, &step, &format!("{twin:?}"))?;
        let (shipped_line, shipped) = default(&shipped, &step)?;
        let at = Code { file: TWINS[0].into(), line };
        let shipped_at = Code { file: SHIPPED.into(), line: shipped_line };
        Some(Difference { step, twin: text, at, shipped, shipped_at })
    };
    twin.steps().iter().filter_map(|step| one(method_name(&format!("{step:?}")))).collect()
}

/// `recheck_inside` of `RecheckInside`.
fn method_name(step: &str) -> String {
    let mut name = String::new();
    for letter in step.chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.extend(letter.to_lowercase());
    }
    name
}

/// The lines of a method, from its signature to its end, and the number of the first one. Methods have this indentation.
fn method<'a>(
    text: &'a str,
    header: &str,
    step: &str,
    indent: &str,
) -> Option<(u32, Vec<&'a str>)> {
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.iter().position(|it| it.starts_with(header))?;
    let is_it = |it: &str| {
        let name = it
            .strip_prefix(indent)
            .and_then(|it| it.trim_start_matches("pub ").strip_prefix("fn "));
        name.is_some_and(|it| {
            it.strip_prefix(step).is_some_and(|rest| rest.starts_with(['<', '(']))
        })
    };
    let first = from + lines[from..].iter().position(|it| is_it(it))?;
    let end = format!("{indent}}}");
    let last = first + lines[first..].iter().position(|it| *it == end)?;
    Some((u32::try_from(first).ok()? + 1, lines[first..=last].to_vec()))
}

/// The arm of the twin in the match of a step.
fn arm(text: &str, step: &str, twin: &str) -> Option<(u32, String)> {
    const ARMS: &str = "            ";
    let (first, lines) = method(text, "impl Protocol for Twin", step, "    ")?;
    // An arm begins at its pattern. Comments above it belong to it.
    let begins = |it: &str| {
        it.strip_prefix(ARMS).is_some_and(|it| {
            it.starts_with("Some(") || it.starts_with("_ ") || it.starts_with("//")
        })
    };
    let mut arms: Vec<(usize, Vec<&str>)> = Vec::new();
    for (place, line) in lines.iter().enumerate() {
        let after_comment = arms
            .last()
            .and_then(|(_, it)| it.last())
            .is_some_and(|it| it.trim_start().starts_with("//"));
        match arms.last_mut() {
            Some((_, arm))
                if !begins(line) || (after_comment && arm.iter().all(|it| begins(it))) =>
            {
                arm.push(line)
            }
            _ if begins(line) => arms.push((place, vec![line])),
            _ => {}
        }
    }
    let has_name = |arm: &[&str]| {
        let pattern: String =
            arm.iter().copied().filter(|it| !it.trim_start().starts_with("//")).collect();
        let pattern = pattern.split("=>").next().unwrap_or_default();
        pattern.split(|it: char| !it.is_alphanumeric()).any(|word| word == twin)
    };
    let (place, found) = arms.into_iter().find(|(_, arm)| has_name(arm))?;
    Some((first + u32::try_from(place).ok()?, undented(&found, ARMS.len())))
}

/// The shipped step. If it only calls the function of its name, that function.
fn default(text: &str, step: &str) -> Option<(u32, String)> {
    let (line, lines) = method(text, "pub trait Protocol", step, "    ")?;
    let calls = format!("{step}(self");
    if lines.iter().any(|it| it.trim_start().starts_with(&calls)) {
        let (line, lines) = method(text, "//!", step, "")?;
        return Some((line, undented(&lines, 0)));
    }
    Some((line, undented(&lines, 4)))
}

/// The lines without so many spaces at their beginning.
fn undented(lines: &[&str], spaces: usize) -> String {
    let cut = |it: &&str| {
        it.get(spaces.min(it.len() - it.trim_start().len())..).unwrap_or_default().to_owned()
    };
    lines.iter().map(cut).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::differences;
    use crate::catalogue::Protocol;

    #[test]
    fn every_step_of_every_twin_has_its_code_and_that_of_the_shipped_protocol() {
        for twin in Protocol::ALL.iter().copied().filter(|it| !it.keeps_all()) {
            let found = differences(twin);
            let steps: Vec<_> = found.iter().map(|it| it.step.as_str()).collect();
            assert_eq!(steps.len(), twin.steps().len(), "{twin}: {steps:?} of {:?}", twin.steps());
            for it in &found {
                assert!(it.twin.contains("=>"), "{twin}, {}: {}", it.step, it.twin);
                assert!(it.shipped.contains(&format!("fn {}", it.step)), "{twin}: {}", it.shipped);
            }
        }
    }

    #[test]
    fn the_early_release_drops_the_lease_before_it_publishes_and_the_shipped_step_after_it() {
        let found = differences(Protocol::ReleaseBeforePublish);
        let place = |text: &str, what: &str| text.find(what).expect(what);
        assert!(place(&found[0].twin, "drop(lease)") < place(&found[0].twin, "request.publish"));
        let shipped = &found[0].shipped;
        assert!(place(shipped, "request.publish") < place(shipped, "protocol.release(lease)"));
    }
}
