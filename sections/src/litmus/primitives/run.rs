//! The interpreter.

use super::noted::{
    DESTROYED, DISCONNECTED, EMPTY, FAILED, FOLLOWER, FULL, LEADER, NOTHING, RAN, SUCCEEDED,
    TIMED_OUT,
};
use super::{BARRIER, DESTRUCTION, Op, Program};
use crate::litmus::log;
use crate::litmus::program::child;
use crate::spin;
use crate::std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use crate::std::sync::mpsc::{
    Receiver, RecvTimeoutError, Sender, SyncSender, TryRecvError, TrySendError, channel,
    sync_channel,
};
use crate::std::sync::{Barrier, Mutex, Once, OnceLock, RwLock};
use crate::std::thread::{self, JoinHandle, Thread};
use crate::tracked;
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

struct Objects {
    mutexes: [Mutex<i64>; 2],
    rwlock: RwLock<i64>,
    atomics: [AtomicI64; 2],
    barrier: Barrier,
    once: Once,
    cell: OnceLock<i64>,
}

std::thread_local! {
    /// The labels of the tasks by number, for the destructor of the counted value.
    static LABELS: RefCell<BTreeMap<usize, u32>> = const { RefCell::new(BTreeMap::new()) };
}

/// The counted value.
struct Value(Arc<Objects>);

impl Drop for Value {
    fn drop(&mut self) {
        // A task of a deadlock is unwound.
        if std::thread::panicking() {
            return;
        }
        let before = self.0.atomics[0].fetch_add(DESTRUCTION, SeqCst);
        let label = LABELS.with(|labels| labels.borrow()[&crate::task()]);
        log::note(label, DESTROYED);
        log::note(label, before);
    }
}

/// What belongs to one task.
struct Own {
    sender: Option<Sender<i64>>,
    sync_sender: Option<SyncSender<i64>>,
    receivers: [Option<Receiver<i64>>; 2],
    arcs: Vec<tracked::Arc<Value>>,
    weaks: Vec<tracked::Weak<Value>>,
    known: Vec<Thread>,
}

impl Own {
    /// What a new task has.
    fn share(&self) -> Self {
        Self {
            sender: self.sender.clone(),
            sync_sender: self.sync_sender.clone(),
            receivers: [None, None],
            arcs: self.arcs.first().cloned().into_iter().collect(),
            weaks: self.weaks.first().cloned().into_iter().collect(),
            known: self.known.clone(),
        }
    }
}

/// Runs the program once. Main notes the final values.
pub(super) fn run(program: &Program) {
    let objects = Arc::new(Objects {
        mutexes: [Mutex::new(0), Mutex::new(0)],
        rwlock: RwLock::new(0),
        atomics: [AtomicI64::new(0), AtomicI64::new(0)],
        barrier: Barrier::new(BARRIER),
        once: Once::new(),
        cell: OnceLock::new(),
    });
    LABELS.with(|labels| labels.borrow_mut().clear());
    // Main does nothing between the spawns. So it shares everything before them, and keeps nothing.
    let owns = owns(&objects, program);
    let mut known: Vec<Thread> = Vec::new();
    let mut handles = Vec::new();
    for ((ops, label), mut own) in program.tasks.iter().zip(1..).zip(owns) {
        own.known.clone_from(&known);
        let handle = start(&objects, own, ops, label);
        known.push(handle.thread().clone());
        handles.push(handle);
    }
    handles.into_iter().for_each(|handle| handle.join().unwrap());
    let o = &objects;
    let mut finals = o.mutexes.each_ref().map(|mutex| *mutex.lock().unwrap()).to_vec();
    finals.push(*o.rwlock.read().unwrap());
    finals.extend(o.atomics.each_ref().map(|atomic| atomic.load(SeqCst)));
    finals.into_iter().for_each(|value| log::note(0, value));
}

fn owns(objects: &Arc<Objects>, program: &Program) -> Vec<Own> {
    let (sender, receiver) = channel();
    let (sync_sender, sync_receiver) = sync_channel(program.bound);
    let uses = program.uses();
    let value = uses.counts.then(|| tracked::Arc::new(Value(Arc::clone(objects))));
    let last = Own {
        sender: uses.channels[0].then_some(sender),
        sync_sender: uses.channels[1].then_some(sync_sender),
        receivers: [None, None],
        weaks: value.iter().map(tracked::Arc::downgrade).collect(),
        arcs: value.into_iter().collect(),
        known: Vec::new(),
    };
    let mut owns: Vec<_> = (1..program.tasks.len()).map(|_| last.share()).collect();
    owns.push(last);
    owns[0].receivers[0] = uses.channels[0].then_some(receiver);
    owns[1].receivers[1] = uses.channels[1].then_some(sync_receiver);
    owns
}

fn start(objects: &Arc<Objects>, own: Own, ops: &[Op], label: u32) -> JoinHandle<()> {
    let (objects, ops) = (Arc::clone(objects), ops.to_vec());
    thread::spawn(move || {
        LABELS.with(|labels| labels.borrow_mut().insert(crate::task(), label));
        let held = Held::default();
        let mut actor =
            Actor { o: &objects, label, held, own, spawned: 0, children: VecDeque::new() };
        actor.perform_all(&ops);
        actor.end();
    })
}

#[derive(Default)]
struct Held {
    mutexes: [bool; 2],
    rwlock: bool,
    once: bool,
}

struct Actor<'a> {
    o: &'a Arc<Objects>,
    label: u32,
    held: Held,
    own: Own,
    spawned: u32,
    children: VecDeque<JoinHandle<()>>,
}

impl Actor<'_> {
    fn perform_all(&mut self, ops: &[Op]) {
        ops.iter().for_each(|op| self.perform(op));
    }

    fn note(&self, value: i64) {
        log::note(self.label, value);
    }

    fn change(&self, value: &mut i64) {
        self.note(*value);
        *value = 2 * *value + i64::from(self.label);
    }

    fn perform(&mut self, op: &Op) {
        let o = self.o;
        match *op {
            Op::Lock(..) | Op::Read(_) | Op::Write(_) | Op::TryRead(_) | Op::TryWrite(_) => {
                self.lock(op);
            }
            Op::Once(ref body) => self.once(body),
            Op::IsCompleted => self.note(i64::from(o.once.is_completed())),
            Op::Set(value) => self.succeeds(o.cell.set(value).is_ok()),
            Op::Get => self.note(o.cell.get().copied().unwrap_or(NOTHING)),
            Op::GetOrInit(value) => self.note(*o.cell.get_or_init(|| value)),
            Op::SpinLock(atomic, ref body) => {
                while o.atomics[atomic].compare_exchange(0, 1, SeqCst, SeqCst).is_err() {
                    spin::yield_now();
                }
                self.perform_all(body);
                o.atomics[atomic].store(0, SeqCst);
            }
            Op::Spin(atomic) => self.spin(atomic),
            Op::Load(atomic) => self.note(o.atomics[atomic].load(SeqCst)),
            Op::Store(atomic, value) => o.atomics[atomic].store(value, SeqCst),
            Op::CompareExchange(atomic, from, to) => {
                let found = o.atomics[atomic].compare_exchange_weak(from, to, SeqCst, SeqCst);
                self.note(found.unwrap_or_else(|found| found));
            }
            Op::FetchUpdate(atomic, limit) => {
                let update = |value| (value < limit).then_some(value + 1);
                let updated = o.atomics[atomic].fetch_update(SeqCst, SeqCst, update);
                self.succeeds(updated.is_ok());
                self.note(updated.unwrap_or_else(|found| found));
            }
            Op::Barrier => {
                self.note(if o.barrier.wait().is_leader() { LEADER } else { FOLLOWER });
            }
            Op::Park { timed: false } => thread::park(),
            Op::Park { timed: true } => thread::park_timeout(Duration::ZERO),
            Op::Unpark(number) => {
                let known = &self.own.known;
                known.get(number % known.len().max(1)).into_iter().for_each(Thread::unpark);
            }
            Op::Spawn(ref body) => self.spawn(body),
            Op::Join => self.children.pop_front().into_iter().for_each(|it| it.join().unwrap()),
            Op::Send(..)
            | Op::TrySend(_)
            | Op::Recv(_)
            | Op::TryRecv(_)
            | Op::RecvTimeout(_)
            | Op::DropSender(_)
            | Op::DropReceiver(_) => self.communicate(op),
            _ => self.count(op),
        }
    }

    fn succeeds(&self, succeeds: bool) {
        self.note(if succeeds { SUCCEEDED } else { FAILED });
    }

    fn lock(&mut self, op: &Op) {
        let o = self.o;
        let held = match *op {
            Op::Lock(number, _) => &mut self.held.mutexes[number],
            _ => &mut self.held.rwlock,
        };
        let tries = matches!(op, Op::TryRead(_) | Op::TryWrite(_));
        if *held && !tries {
            return;
        }
        let before = std::mem::replace(held, true);
        match *op {
            Op::Lock(number, ref body) => {
                let mut guard = o.mutexes[number].lock().unwrap();
                self.change(&mut guard);
                self.perform_all(body);
                drop(guard);
                self.held.mutexes[number] = before;
                return;
            }
            Op::Read(ref body) => {
                let guard = o.rwlock.read().unwrap();
                self.note(*guard);
                self.perform_all(body);
            }
            Op::TryRead(ref body) => match o.rwlock.try_read() {
                Ok(guard) => {
                    self.note(*guard);
                    self.perform_all(body);
                }
                Err(_) => self.note(FAILED),
            },
            Op::Write(ref body) => {
                let mut guard = o.rwlock.write().unwrap();
                self.change(&mut guard);
                self.perform_all(body);
            }
            Op::TryWrite(ref body) => match o.rwlock.try_write() {
                Ok(mut guard) => {
                    self.change(&mut guard);
                    self.perform_all(body);
                }
                Err(_) => self.note(FAILED),
            },
            _ => unreachable!("no lock: {op:?}"),
        }
        self.held.rwlock = before;
    }

    fn once(&mut self, body: &[Op]) {
        if std::mem::replace(&mut self.held.once, true) {
            return;
        }
        let o = self.o;
        o.once.call_once(|| {
            self.note(RAN);
            self.perform_all(body);
        });
        self.held.once = false;
    }

    fn spin(&self, atomic: usize) {
        loop {
            let value = self.o.atomics[atomic].load(SeqCst);
            if value != 0 {
                return self.note(value);
            }
            spin::yield_now();
        }
    }

    fn communicate(&mut self, op: &Op) {
        let own = &mut self.own;
        let noted = match *op {
            Op::Send(0, value) => {
                own.sender.as_ref().and_then(|it| it.send(value).err()).map(|_| DISCONNECTED)
            }
            Op::Send(_, value) => {
                own.sync_sender.as_ref().and_then(|it| it.send(value).err()).map(|_| DISCONNECTED)
            }
            Op::TrySend(value) => own.sync_sender.as_ref().map(|it| match it.try_send(value) {
                Ok(()) => SUCCEEDED,
                Err(TrySendError::Full(_)) => FULL,
                Err(TrySendError::Disconnected(_)) => DISCONNECTED,
            }),
            Op::Recv(number) => {
                own.receivers[number].as_ref().map(|it| it.recv().unwrap_or(DISCONNECTED))
            }
            Op::TryRecv(number) => own.receivers[number].as_ref().map(|it| {
                it.try_recv().unwrap_or_else(|error| match error {
                    TryRecvError::Empty => EMPTY,
                    TryRecvError::Disconnected => DISCONNECTED,
                })
            }),
            Op::RecvTimeout(number) => own.receivers[number].as_ref().map(|it| {
                it.recv_timeout(Duration::ZERO).unwrap_or_else(|error| match error {
                    RecvTimeoutError::Timeout => TIMED_OUT,
                    RecvTimeoutError::Disconnected => DISCONNECTED,
                })
            }),
            Op::DropSender(0) => own.sender.take().and(None),
            Op::DropSender(_) => own.sync_sender.take().and(None),
            Op::DropReceiver(number) => own.receivers[number].take().and(None),
            _ => unreachable!("not of a channel: {op:?}"),
        };
        noted.into_iter().for_each(|value| self.note(value));
    }

    /// An operation on the counted value. Nothing, if the task has no reference.
    fn count(&mut self, op: &Op) {
        let own = &mut self.own;
        let signed = |count: usize| i64::try_from(count).unwrap();
        match *op {
            Op::Upgrade => {
                let upgraded = own.weaks.last().map(tracked::Weak::upgrade);
                let succeeds = upgraded.as_ref().map(Option::is_some);
                own.arcs.extend(upgraded.flatten());
                succeeds.into_iter().for_each(|succeeds| self.succeeds(succeeds));
                return;
            }
            Op::DropArc => return drop(own.arcs.pop()),
            _ => {}
        }
        let Some(mut arc) = own.arcs.pop() else { return };
        match *op {
            Op::CloneArc => own.arcs.push(arc.clone()),
            Op::StrongCount => self.note(signed(tracked::Arc::strong_count(&arc))),
            Op::WeakCount => self.note(signed(tracked::Arc::weak_count(&arc))),
            Op::GetMut => self.succeeds(tracked::Arc::get_mut(&mut arc).is_some()),
            Op::Downgrade => own.weaks.push(tracked::Arc::downgrade(&arc)),
            Op::TryUnwrap => match tracked::Arc::try_unwrap(arc) {
                Ok(value) => {
                    self.note(SUCCEEDED);
                    return drop(value);
                }
                Err(its) => {
                    self.note(FAILED);
                    arc = its;
                }
            },
            _ => unreachable!("counts nothing: {op:?}"),
        }
        self.own.arcs.push(arc);
    }

    fn spawn(&mut self, body: &[Op]) {
        self.spawned += 1;
        let mut own = self.own.share();
        own.known.push(thread::current());
        let handle = start(self.o, own, body, child(self.label, self.spawned));
        self.own.known.push(handle.thread().clone());
        self.children.push_back(handle);
    }

    /// Drops what the task has, in this order, and joins its children.
    fn end(mut self) {
        let Own { sender, sync_sender, receivers, arcs, weaks, .. } = self.own;
        drop(sender);
        drop(sync_sender);
        receivers.into_iter().for_each(drop);
        arcs.into_iter().for_each(drop);
        weaks.into_iter().for_each(drop);
        self.children.drain(..).for_each(|it| it.join().unwrap());
    }
}
