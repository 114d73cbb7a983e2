//! The code of a task: the operations of a program as a list of instructions.

use crate::litmus::program::{FLAG, Op};

/// The read-write lock. The mutexes have the numbers before it.
const RWLOCK: usize = 3;

/// An instruction. A place is that of an instruction in the same code.
#[derive(Clone, Debug)]
pub enum Instruction {
    Acquire {
        lock: usize,
        shared: bool,
    },
    /// Takes the lock, or notes the failure and goes on at a place.
    Try(usize, usize),
    Release {
        lock: usize,
        shared: bool,
    },
    /// Notes the value of a lock.
    Note(usize),
    /// Notes and changes the value of a lock.
    Change(usize),
    Raise,
    Atomic(Op),
    NotifyOne,
    NotifyAll,
    /// If the flag is there, notes it and goes on at a place.
    Check(usize),
    Register,
    Park {
        timed: bool,
    },
    NoteWaking,
    Spawn(usize),
    /// Joins the oldest child, or all of them.
    Join {
        all: bool,
    },
    Panic,
    Jump(usize),
}

use Instruction::{
    Acquire, Atomic, Change, Check, Join, Jump, Note, NoteWaking, NotifyAll, NotifyOne, Panic,
    Park, Raise, Register, Release, Spawn, Try,
};

/// Translates tasks. A task is the number of its code.
#[derive(Default)]
pub struct Translator {
    pub codes: Vec<Vec<Instruction>>,
}

/// The code of a task under translation.
#[derive(Default)]
struct Code {
    instructions: Vec<Instruction>,
    /// The locks around the next instruction, and whether they are shared. The innermost is the last.
    held: Vec<(usize, bool)>,
    /// The jumps of panics.
    panics: Vec<usize>,
}

impl Code {
    fn push(&mut self, instruction: Instruction) -> usize {
        self.instructions.push(instruction);
        self.instructions.len() - 1
    }

    fn holds(&self, lock: usize) -> bool {
        self.held.iter().any(|(held, _)| *held == lock)
    }
}

impl Translator {
    pub fn task(&mut self, ops: &[Op]) -> usize {
        let mut code = Code::default();
        self.all(ops, &mut code);
        let end = code.push(Join { all: true });
        code.panics.iter().for_each(|place| code.instructions[*place] = Jump(end));
        self.codes.push(code.instructions);
        self.codes.len() - 1
    }

    fn all(&mut self, ops: &[Op], code: &mut Code) {
        ops.iter().for_each(|op| self.op(op, code));
    }

    fn op(&mut self, op: &Op, code: &mut Code) {
        match op {
            Op::Lock(lock, body) => self.locked(*lock, false, body, code),
            Op::Read(body) => self.locked(RWLOCK, true, body, code),
            Op::Write(body) => self.locked(RWLOCK, false, body, code),
            Op::TryLock(lock, body) => {
                let tries = code.push(Try(*lock, 0));
                self.holding(*lock, false, body, code);
                code.instructions[tries] = Try(*lock, code.instructions.len());
            }
            Op::Notify { all, flag } => {
                let flag = *flag && !code.holds(FLAG);
                if flag {
                    code.push(Acquire { lock: FLAG, shared: false });
                    code.push(Raise);
                }
                code.push(if *all { NotifyAll } else { NotifyOne });
                if flag {
                    code.push(Release { lock: FLAG, shared: false });
                }
            }
            Op::Wait { checks, timed } => Self::wait(*checks, *timed, code),
            Op::Spawn(body) => {
                let task = self.task(body);
                code.push(Spawn(task));
            }
            Op::Join => {
                code.push(Join { all: false });
            }
            Op::Panic => {
                code.push(Panic);
                for (lock, shared) in code.held.clone().into_iter().rev() {
                    code.push(Release { lock, shared });
                }
                let jump = code.push(Jump(0));
                code.panics.push(jump);
            }
            Op::Load(_)
            | Op::Store(..)
            | Op::FetchAdd(..)
            | Op::Add(..)
            | Op::CompareExchange(..) => {
                code.push(Atomic(op.clone()));
            }
        }
    }

    fn locked(&mut self, lock: usize, shared: bool, body: &[Op], code: &mut Code) {
        if !code.holds(lock) {
            code.push(Acquire { lock, shared });
            self.holding(lock, shared, body, code);
        }
    }

    fn holding(&mut self, lock: usize, shared: bool, body: &[Op], code: &mut Code) {
        code.push(if shared { Note(lock) } else { Change(lock) });
        code.held.push((lock, shared));
        self.all(body, code);
        code.held.pop();
        code.push(Release { lock, shared });
    }

    fn wait(checks: bool, timed: bool, code: &mut Code) {
        if code.holds(FLAG) {
            return;
        }
        let flag = FLAG;
        code.push(Acquire { lock: flag, shared: false });
        let check = checks.then(|| code.push(Check(0)));
        code.push(Register);
        code.push(Release { lock: flag, shared: false });
        code.push(Park { timed });
        code.push(Acquire { lock: flag, shared: false });
        code.push(NoteWaking);
        code.push(Note(flag));
        let end = code.push(Release { lock: flag, shared: false });
        if let Some(check) = check {
            code.instructions[check] = Check(end);
        }
    }
}
