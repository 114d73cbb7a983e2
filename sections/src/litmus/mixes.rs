//! Mixes: strategies for random programs, each of which is likely to do one kind of thing.

use super::program::{FLAG, Op, Program, program};
use proptest::collection::vec;
use proptest::prelude::{BoxedStrategy, Just, Strategy, any, prop_oneof};

/// How programs of a mix are compared with the oracle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compared {
    /// The outcomes are equal.
    Equal,
    /// The search may miss outcomes, and invents none. No task runs between a panic and the releases
    /// of its guards, so a try that fails only there is lost.
    FailuresOfTriesAreLost,
}

/// A kind of random programs.
pub struct Mix {
    pub name: &'static str,
    pub programs: BoxedStrategy<Program>,
    pub compared: Compared,
    /// Whether Shuttle's primitives can do it: they never time out.
    pub on_shuttle: bool,
    /// What at least a tenth of the programs see, in some outcome.
    pub sees: &'static [Sight],
}

/// What an outcome can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sight {
    /// The program has several outcomes.
    Choice,
    Deadlock,
    FailedTry,
    WakeUp,
    TimeOut,
    Panic,
}
use Sight::{Choice, Deadlock, FailedTry, Panic, TimeOut, WakeUp};

fn access() -> impl Strategy<Value = Op> {
    prop_oneof![
        2 => (0..2usize).prop_map(Op::Load),
        2 => (0..2usize, 1..3i64).prop_map(|(atomic, value)| Op::Store(atomic, value)),
        1 => (0..2usize, 1..3i64).prop_map(|(atomic, value)| Op::FetchAdd(atomic, value)),
        1 => (0..2usize, 1..3i64).prop_map(|(atomic, value)| Op::Add(atomic, value)),
        1 => (0..2usize, 0..2i64, 1..3i64).prop_map(|(atomic, from, to)| {
            Op::CompareExchange(atomic, from, to)
        }),
    ]
}

fn notify() -> impl Strategy<Value = Op> {
    any::<(bool, bool)>().prop_map(|(all, flag)| Op::Notify { all, flag })
}

fn wait(timed: bool) -> impl Strategy<Value = Op> {
    (any::<bool>(), any::<bool>())
        .prop_map(move |(checks, often)| Op::Wait { checks, timed: timed && often })
}

type Body = BoxedStrategy<Vec<Op>>;

fn lock(mutexes: usize, body: &Body) -> BoxedStrategy<Op> {
    (0..mutexes, body.clone()).prop_map(|(mutex, body)| Op::Lock(mutex, body)).boxed()
}

fn try_lock(mutexes: usize, body: &Body) -> BoxedStrategy<Op> {
    (0..mutexes, body.clone()).prop_map(|(mutex, body)| Op::TryLock(mutex, body)).boxed()
}

fn read(body: &Body) -> BoxedStrategy<Op> {
    body.clone().prop_map(Op::Read).boxed()
}

fn write(body: &Body) -> BoxedStrategy<Op> {
    body.clone().prop_map(Op::Write).boxed()
}

fn spawn(body: &Body) -> BoxedStrategy<Op> {
    body.clone().prop_map(Op::Spawn).boxed()
}

/// So many tasks with so many of these operations each.
fn tasks(op: impl Strategy<Value = Op> + Clone + 'static, two: usize, three: usize) -> Tasks {
    let pairs = vec(vec(op.clone(), 1..=two), 2);
    let triples = vec(vec(op, 1..=three), 3);
    prop_oneof![pairs, triples].prop_map(Program).boxed()
}

type Tasks = BoxedStrategy<Program>;

fn bodies(op: impl Strategy<Value = Op> + 'static) -> Body {
    vec(op, 0..=2).boxed()
}

fn readers_and_writers() -> Tasks {
    let inner = bodies(prop_oneof![3 => access(), 1 => lock(2, &Just(Vec::new()).boxed())].boxed());
    let op =
        prop_oneof![3 => read(&inner), 2 => write(&inner), 1 => access(), 1 => lock(2, &inner)];
    tasks(op.boxed(), 3, 2)
}

fn waits_and_spawns() -> Tasks {
    let simple = prop_oneof![3 => notify(), 3 => wait(false), 1 => access()].boxed();
    let inner = bodies(simple.clone());
    let op = prop_oneof![4 => simple, 2 => spawn(&inner), 1 => lock(3, &inner)];
    tasks(op.boxed(), 3, 2)
}

fn time_outs() -> Tasks {
    let simple = prop_oneof![3 => notify(), 4 => wait(true), 1 => access()].boxed();
    let inner = bodies(simple.clone());
    let op = prop_oneof![5 => simple, 1 => lock(3, &inner), 1 => try_lock(3, &inner)];
    tasks(op.boxed(), 3, 2)
}

fn nested_tries() -> Tasks {
    let simple = prop_oneof![2 => access(), 1 => notify(), 1 => wait(false)].boxed();
    let inner = bodies(prop_oneof![2 => simple, 2 => try_lock(3, &Just(Vec::new()).boxed())]);
    let inner = bodies(prop_oneof![2 => try_lock(3, &inner), 1 => lock(3, &inner), 1 => access()]);
    let op = prop_oneof![2 => lock(3, &inner), 2 => try_lock(3, &inner), 1 => wait(false)];
    tasks(op.boxed(), 2, 1)
}

fn spawns() -> Tasks {
    let simple = prop_oneof![3 => access(), 1 => lock(2, &bodies(access()))].boxed();
    let grandchild = bodies(simple.clone());
    let child = bodies(prop_oneof![3 => simple.clone(), 1 => spawn(&grandchild)]);
    let inside = bodies(prop_oneof![simple.clone(), spawn(&child)]);
    let op =
        prop_oneof![3 => simple, 4 => spawn(&child), 1 => lock(2, &inside), 1 => read(&inside)];
    tasks(op.boxed(), 2, 1)
}

fn early_joins() -> Tasks {
    let simple = prop_oneof![3 => access(), 1 => lock(2, &bodies(access()))].boxed();
    let child = bodies(simple.clone());
    let inside = bodies(prop_oneof![1 => simple.clone(), 1 => Just(Op::Join)]);
    let op = prop_oneof![
        3 => simple, 3 => spawn(&child), 2 => Just(Op::Join), 1 => lock(2, &inside)
    ];
    tasks(op.boxed(), 3, 2)
}

fn panics() -> Tasks {
    panicking(prop_oneof![2 => access(), 1 => notify(), 1 => wait(false)].boxed(), true)
}

fn panics_and_tries() -> Tasks {
    let inner = Just(Vec::new()).boxed();
    panicking(prop_oneof![2 => access(), 3 => try_lock(2, &inner)].boxed(), false)
}

/// Some bodies end with a panic.
fn panicking(simple: BoxedStrategy<Op>, spawning: bool) -> Tasks {
    let ending = |mut body: Vec<Op>, panics: bool| {
        body.extend(panics.then_some(Op::Panic));
        body
    };
    let ends = move |body: Body| (body, any::<bool>()).prop_map(move |(b, p)| ending(b, p)).boxed();
    let inner = ends(bodies(simple.clone()));
    let inner = ends(bodies(prop_oneof![2 => simple.clone(), 1 => lock(2, &inner)].boxed()));
    let child = if spawning { spawn(&inner) } else { lock(2, &inner) };
    let op = prop_oneof![
        2 => simple, 3 => lock(2, &inner), 1 => read(&inner), 1 => write(&inner), 1 => child
    ];
    tasks(op.boxed(), 2, 2)
}

fn opposite_orders() -> Tasks {
    let innermost = bodies(access());
    let one = |body: &Body| {
        prop_oneof![3 => lock(2, body), 1 => read(body), 1 => write(body), 1 => lock(3, body)]
            .boxed()
    };
    let inner = vec(one(&innermost), 1..=2).boxed();
    tasks(one(&inner), 2, 1)
}

/// Everything that [`Compared::Equal`] allows.
fn everything() -> Tasks {
    let simple = prop_oneof![3 => access(), 2 => notify(), 2 => wait(true), 1 => Just(Op::Join)];
    let op = simple.prop_recursive(2, 4, 2, |inner| {
        let body = bodies(inner);
        prop_oneof![
            3 => lock(FLAG + 1, &body),
            3 => try_lock(FLAG + 1, &body),
            2 => read(&body),
            1 => write(&body),
            2 => spawn(&body),
        ]
    });
    tasks(op.boxed(), 3, 2)
}

/// Every mix.
pub fn mixes() -> Vec<Mix> {
    let mix = |name, programs, sees| Mix {
        name,
        programs,
        compared: Compared::Equal,
        on_shuttle: true,
        sees,
    };
    vec![
        mix("as against Shuttle", program().boxed(), &[Choice, Deadlock, FailedTry, WakeUp]),
        mix("readers and writers", readers_and_writers(), &[Choice]),
        mix("waits and spawns", waits_and_spawns(), &[Choice, Deadlock, WakeUp]),
        Mix {
            on_shuttle: false,
            ..mix("time-outs", time_outs(), &[Choice, Deadlock, WakeUp, TimeOut])
        },
        mix("nested tries", nested_tries(), &[Choice, Deadlock, FailedTry]),
        mix("spawns", spawns(), &[Choice]),
        mix("early joins", early_joins(), &[Choice]),
        mix("panics", panics(), &[Choice, Panic]),
        Mix {
            compared: Compared::FailuresOfTriesAreLost,
            ..mix("panics and tries", panics_and_tries(), &[Choice, FailedTry, Panic])
        },
        mix("opposite orders", opposite_orders(), &[Choice, Deadlock]),
        Mix {
            on_shuttle: false,
            ..mix("everything", everything(), &[Choice, Deadlock, FailedTry])
        },
    ]
}
