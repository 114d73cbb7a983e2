//! The code of a task: its operations as a list of instructions.

use super::{Op, RWLOCK, Uses};

/// An instruction. A place is that of an instruction in the same code.
#[derive(Clone, Debug)]
pub(super) enum Instruction {
    Acquire {
        lock: usize,
        shared: bool,
    },
    /// Takes the lock, or notes the failure and goes on at a place.
    Try {
        lock: usize,
        shared: bool,
        otherwise: usize,
    },
    Release {
        lock: usize,
        shared: bool,
    },
    /// Notes the value of a lock, and changes it.
    Note {
        lock: usize,
        change: bool,
    },
    /// Begins to run the body, or goes on at a place if it has run.
    Begin(usize),
    Complete,
    /// Waits until the atomic is 0, and makes it 1.
    TakeSpinLock(usize),
    /// Any operation without a body.
    Do(Op),
    /// If the task has dropped the last owner: its destructor.
    Destroy,
    /// Clones the owner, and then the weak reference, that a child will have.
    ShareArc,
    ShareWeak,
    Spawn(usize),
    /// Goes back to a place while the task has an owner.
    UntilNoArcs(usize),
    DropWeaks,
    JoinAll,
}
use Instruction::{
    Acquire, Begin, Complete, Destroy, Do, DropWeaks, JoinAll, Note, Release, ShareArc, ShareWeak,
    Spawn, TakeSpinLock, Try, UntilNoArcs,
};

/// Translates tasks. A task is the number of its code.
#[derive(Default)]
pub(super) struct Translator {
    pub(super) codes: Vec<Vec<Instruction>>,
    pub(super) uses: Uses,
}

/// The code of a task under translation.
#[derive(Default)]
struct Code {
    instructions: Vec<Instruction>,
    /// The locks around the next instruction.
    held: Vec<usize>,
    in_once: bool,
}

impl Code {
    fn push(&mut self, instruction: Instruction) -> usize {
        self.instructions.push(instruction);
        self.instructions.len() - 1
    }
}

impl Translator {
    pub(super) fn task(&mut self, ops: &[Op]) -> usize {
        let mut code = Code::default();
        self.all(ops, &mut code);
        let used = |channel: &usize| self.uses.channels[*channel];
        for channel in (0..2).filter(used) {
            code.push(Do(Op::DropSender(channel)));
        }
        for channel in (0..2).filter(used) {
            code.push(Do(Op::DropReceiver(channel)));
        }
        if self.uses.counts {
            let first = code.push(Do(Op::DropArc));
            code.push(Destroy);
            code.push(UntilNoArcs(first));
            code.push(DropWeaks);
        }
        code.push(JoinAll);
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
            Op::TryRead(body) => self.tried(true, body, code),
            Op::TryWrite(body) => self.tried(false, body, code),
            Op::Once(_) if code.in_once => {}
            Op::Once(body) => {
                let begin = code.push(Begin(0));
                code.in_once = true;
                self.all(body, code);
                code.in_once = false;
                let end = code.push(Complete) + 1;
                code.instructions[begin] = Begin(end);
            }
            Op::SpinLock(atomic, body) => {
                code.push(TakeSpinLock(*atomic));
                self.all(body, code);
                code.push(Do(Op::Store(*atomic, 0)));
            }
            Op::Spawn(body) => {
                let task = self.task(body);
                if self.uses.counts {
                    code.push(ShareArc);
                    code.push(ShareWeak);
                }
                code.push(Spawn(task));
            }
            Op::DropArc | Op::TryUnwrap => {
                code.push(Do(op.clone()));
                code.push(Destroy);
            }
            _ => {
                code.push(Do(op.clone()));
            }
        }
    }

    fn locked(&mut self, lock: usize, shared: bool, body: &[Op], code: &mut Code) {
        if !code.held.contains(&lock) {
            code.push(Acquire { lock, shared });
            self.holding(lock, shared, body, code);
        }
    }

    fn tried(&mut self, shared: bool, body: &[Op], code: &mut Code) {
        let tries = code.push(Try { lock: RWLOCK, shared, otherwise: 0 });
        self.holding(RWLOCK, shared, body, code);
        let otherwise = code.instructions.len();
        code.instructions[tries] = Try { lock: RWLOCK, shared, otherwise };
    }

    fn holding(&mut self, lock: usize, shared: bool, body: &[Op], code: &mut Code) {
        code.push(Note { lock, change: !shared });
        code.held.push(lock);
        self.all(body, code);
        code.held.pop();
        code.push(Release { lock, shared });
    }
}
