//! The line of the protocol, or of the broken twin, from which each section of an execution was reached.

use crate::replay::{Program, Replayed};
use sections::{Frame, replay_with_stacks};
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
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
        let text = std::fs::read_to_string(root.join(&self.file)).ok()?;
        let line = usize::try_from(self.line).ok()?.checked_sub(1)?;
        text.lines().nth(line).map(|it| it.trim().to_owned())
    }

    fn of(frame: &Frame) -> Option<Self> {
        [CORE, TEXT].iter().find_map(|(built, shown)| {
            let (_, rest) = frame.file.split_once(built)?;
            Some(Self { file: format!("{shown}{rest}"), line: frame.line })
        })
    }

    fn is_of_a_twin(&self) -> bool {
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
