//! Mixes: strategies for random programs, each of which is likely to use one kind of primitive.

use super::noted::{
    DESTROYED, DISCONNECTED, EMPTY, FAILED, FOLLOWER, FULL, LEADER, NOTHING, RAN, SUCCEEDED,
    TIMED_OUT,
};
use super::{Op, Program};
use proptest::collection::vec;
use proptest::prelude::{BoxedStrategy, Just, Strategy, any, prop_oneof};

/// A kind of random programs.
pub(super) struct Mix {
    pub(super) name: &'static str,
    pub(super) programs: BoxedStrategy<Program>,
    /// What at least a twentieth of the programs note, in some outcome.
    pub(super) sees: &'static [i64],
    /// At least a twentieth of the programs have a deadlock.
    pub(super) deadlocks: bool,
}

type Ops = BoxedStrategy<Op>;
type Body = BoxedStrategy<Vec<Op>>;

fn access() -> Ops {
    prop_oneof![
        2 => (0..2usize).prop_map(Op::Load),
        2 => (0..2usize, 0..3i64).prop_map(|(atomic, value)| Op::Store(atomic, value)),
    ]
    .boxed()
}

fn exchange() -> Ops {
    prop_oneof![
        (0..2usize, 0..2i64, 1..3i64)
            .prop_map(|(atomic, from, to)| { Op::CompareExchange(atomic, from, to) }),
        (0..2usize, 1..3i64).prop_map(|(atomic, limit)| Op::FetchUpdate(atomic, limit)),
    ]
    .boxed()
}

fn bodies(op: Ops) -> Body {
    vec(op, 0..=2).boxed()
}

fn lock(body: &Body) -> Ops {
    (0..2usize, body.clone()).prop_map(|(mutex, body)| Op::Lock(mutex, body)).boxed()
}

fn spawn(body: &Body) -> Ops {
    body.clone().prop_map(Op::Spawn).boxed()
}

/// The operation as it is, under a lock, and in a child.
fn nested(op: &Ops) -> Ops {
    let inner = bodies(prop_oneof![3 => op.clone(), 1 => access()].boxed());
    let join = Just(Op::Join);
    prop_oneof![9 => op.clone(), 2 => access(), 2 => lock(&inner), 2 => spawn(&inner), 1 => join]
        .boxed()
}

/// So many tasks with so many of these operations each.
fn tasks(op: Ops, two: usize, three: usize) -> BoxedStrategy<Program> {
    let pairs = vec(vec(op.clone(), 1..=two), 2);
    let triples = vec(vec(op, 1..=three), 3);
    (prop_oneof![pairs, triples], 0..=2usize)
        .prop_map(|(tasks, bound)| Program { tasks, bound })
        .boxed()
}

fn tries(body: &Body) -> Ops {
    prop_oneof![
        2 => body.clone().prop_map(Op::TryRead),
        2 => body.clone().prop_map(Op::TryWrite),
        1 => body.clone().prop_map(Op::Read),
        1 => body.clone().prop_map(Op::Write),
    ]
    .boxed()
}

fn reads_and_writes() -> Ops {
    let innermost = bodies(prop_oneof![1 => access(), 2 => tries(&bodies(access()))].boxed());
    prop_oneof![3 => tries(&innermost), 1 => access()].boxed()
}

/// Operations on channels from this number on.
fn communication(first: usize) -> Ops {
    let channel = move || first..2usize;
    let send = (channel(), 1..3i64).prop_map(|(number, value)| Op::Send(number, value));
    prop_oneof![
        6 => send,
        2 => (1..3i64).prop_map(Op::TrySend),
        3 => channel().prop_map(Op::Recv),
        2 => channel().prop_map(Op::TryRecv),
        1 => channel().prop_map(Op::RecvTimeout),
        1 => channel().prop_map(Op::DropSender),
        1 => channel().prop_map(Op::DropReceiver),
    ]
    .boxed()
}

fn once() -> Ops {
    let body = bodies(access());
    prop_oneof![
        3 => body.prop_map(Op::Once),
        1 => Just(Op::IsCompleted),
        1 => (1..3i64).prop_map(Op::Set),
        1 => (1..3i64).prop_map(Op::GetOrInit),
        1 => Just(Op::Get),
    ]
    .boxed()
}

fn parking() -> Ops {
    let park = any::<bool>().prop_map(|timed| Op::Park { timed });
    prop_oneof![2 => park, 4 => (0..3usize).prop_map(Op::Unpark), 3 => access()].boxed()
}

fn counting() -> Ops {
    prop_oneof![
        2 => Just(Op::CloneArc),
        3 => Just(Op::DropArc),
        1 => Just(Op::StrongCount),
        1 => Just(Op::WeakCount),
        1 => Just(Op::GetMut),
        1 => Just(Op::TryUnwrap),
        1 => Just(Op::Downgrade),
        2 => Just(Op::Upgrade),
        1 => Just(Op::Load(0)),
    ]
    .boxed()
}

fn spinning() -> Ops {
    let body = bodies(prop_oneof![access(), exchange()].boxed());
    prop_oneof![
        2 => (0..2usize).prop_map(Op::Spin),
        2 => (0..2usize, body).prop_map(|(atomic, body)| Op::SpinLock(atomic, body)),
        3 => (0..2usize, 0..3i64).prop_map(|(atomic, value)| Op::Store(atomic, value)),
        1 => exchange(),
    ]
    .boxed()
}

fn everything() -> Ops {
    let simple = prop_oneof![
        1 => access(),
        1 => exchange(),
        3 => communication(0),
        1 => Just(Op::Barrier),
        2 => once(),
        2 => parking(),
        2 => counting(),
        2 => spinning(),
        1 => Just(Op::Join),
    ];
    let op = simple.prop_recursive(2, 4, 2, |inner| {
        let body = bodies(inner.boxed());
        prop_oneof![
            2 => lock(&body),
            2 => tries(&body),
            2 => body.clone().prop_map(Op::Once),
            1 => (0..2usize, body.clone()).prop_map(|(atomic, body)| Op::SpinLock(atomic, body)),
            2 => spawn(&body),
        ]
    });
    op.boxed()
}

/// Every mix.
pub(super) fn mixes() -> Vec<Mix> {
    let mix = |name, op: &Ops, sees| {
        let programs = tasks(nested(op), 3, 2);
        Mix { name, programs, sees, deadlocks: true }
    };
    let free = |mix| Mix { deadlocks: false, ..mix };
    let channels: &[_] = &[DISCONNECTED, EMPTY, TIMED_OUT];
    vec![
        free(mix("tries to read and write", &reads_and_writes(), &[FAILED])),
        free(mix("exchanges", &exchange(), &[FAILED, SUCCEEDED])),
        mix("channels", &communication(0), channels),
        mix("channels with a bound", &communication(1), &[FULL, DISCONNECTED, SUCCEEDED]),
        mix("barriers", &Just(Op::Barrier).boxed(), &[LEADER, FOLLOWER]),
        free(mix("once", &once(), &[RAN, NOTHING, FAILED])),
        mix("parks", &parking(), &[]),
        free(mix("counts", &counting(), &[DESTROYED, FAILED, SUCCEEDED])),
        mix("spin loops", &spinning(), &[]),
        Mix {
            name: "everything",
            programs: tasks(everything(), 3, 2),
            sees: &[DISCONNECTED, FAILED, DESTROYED, RAN],
            deadlocks: true,
        },
    ]
}
