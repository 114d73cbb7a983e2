//! One run: the service, its callers, and what happens after the traffic.

use crate::chooser::Chooser;
use crate::day_clock::DayClock;
use crate::judge::{Judge, Now, Terms};
use crate::plan::{Fault, Plan};
use crate::report::Books;
use crate::workload::{Act, Arrival, Ask, Origin, Sent};
use sections::simulation::{self, Move, Simulated, Simulation, now, sleep_until};
use sections::thread::{JoinHandle, spawn};
use sections::{Object, Outcome, Step};
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::panic::{Location, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use xfetch_core_shuttle::{
    CallerRuns, ConfigError, Error, Event as CoreEvent, Executor, Job, Metrics, Observer, Usage,
    Waiting, WorkerPool,
};
use xfetch_on_sections::{
    Compute, Opened, Options, Parts, Served, Value, hash_of, open, plain_event,
};
use xfetch_vocabulary::catalogue::Invariant;
use xfetch_vocabulary::history::Content;

/// A caller that comes to a request so late leaves it: a service has a queue of some length only.
const LATE: Duration = Duration::from_secs(60);
/// How long a compute takes when everything is well again.
const WELL: Duration = Duration::from_millis(1);
/// How often the service is looked at.
const MINUTE: Duration = Duration::from_secs(60);

/// The error of the origin. It says which compute it is of.
#[derive(Debug)]
struct Down(Content);

impl fmt::Display for Down {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the origin is down [{}]", self.0)
    }
}

impl std::error::Error for Down {}

/// The compute of an error, by its text: a panic has nothing else.
fn compute_of(error: &Error) -> Option<Content> {
    let text = match error {
        Error::Timeout { .. } | Error::Cycle { .. } => return None,
        error => error.to_string(),
    };
    let from = text.rfind('[')? + 1;
    text[from..].split(']').next()?.parse().ok()
}

/// What one wants of a run.
#[derive(Clone, Default)]
pub struct Watch {
    /// Whether to keep all events and steps.
    pub record: bool,
    /// Whether to go on after a violation.
    pub goes_on: bool,
    /// What the run has done so far.
    pub progress: Arc<Progress>,
    /// Once this is set, the run ends.
    pub stop: Option<Arc<AtomicBool>>,
}

/// What a run has done so far.
#[derive(Debug, Default)]
pub struct Progress {
    /// Virtual seconds.
    pub seconds: AtomicU64,
    /// Requests.
    pub requests: AtomicU64,
    /// Events.
    pub events: AtomicU64,
}

/// A cache and its pool.
#[derive(Clone)]
struct Service {
    generation: usize,
    cache: Arc<dyn Opened>,
    pool: Option<WorkerPool>,
    /// Its events, for `Metrics`.
    counted: Option<Counted>,
}

type Counted = Arc<Mutex<Vec<(u64, CoreEvent)>>>;

/// What the scheduler, the caches and the tasks of a run share.
pub(crate) struct Shared {
    plan: Plan,
    watch: Watch,
    pub(crate) judge: Mutex<Judge>,
    books: Mutex<Books>,
    chooser: Mutex<Chooser>,
    /// The names of the tasks.
    names: Mutex<BTreeMap<usize, String>>,
    /// Whether each task serves requests.
    serves: Mutex<Vec<bool>>,
    /// What the executor does with the refreshes of each task.
    sent: Mutex<Vec<Sent>>,
    /// Draws of the caches so far.
    draws: AtomicU64,
    /// Everything is well again.
    well: AtomicBool,
    violated: AtomicBool,
    /// It has taken too long, or too many steps.
    overdue: AtomicBool,
}

struct World {
    shared: Arc<Shared>,
    clock: Arc<DayClock>,
    traffic: Mutex<Box<dyn Iterator<Item = Arrival> + Send>>,
    service: Mutex<Option<Service>>,
}

/// How a run ended.
pub struct Run {
    /// What the judge has seen.
    pub judge: Judge,
    /// What is reported of it.
    pub books: Books,
    /// The virtual time of all of it.
    pub now: Duration,
    /// Steps.
    pub steps: Vec<(Duration, Step)>,
    /// The line that made each object.
    pub made_at: BTreeMap<Object, &'static Location<'static>>,
    /// The number of steps.
    pub decisions: u64,
    /// The names of its tasks.
    pub names: BTreeMap<usize, String>,
    /// It was stopped before its end, and not by a violation.
    pub cut: bool,
}

pub(crate) fn locked<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_set(flag: &AtomicBool) -> bool {
    flag.load(Ordering::Relaxed)
}

impl Shared {
    fn new(plan: &Plan, chooser: Chooser, watch: Watch) -> Arc<Self> {
        Arc::new(Self {
            judge: Mutex::new(Judge::new(watch.record)),
            books: Mutex::new(Books::new(plan)),
            chooser: Mutex::new(chooser),
            names: Mutex::new(BTreeMap::from([(1, "day".to_owned())])),
            serves: Mutex::default(),
            sent: Mutex::default(),
            draws: AtomicU64::new(0),
            well: AtomicBool::new(false),
            violated: AtomicBool::new(false),
            overdue: AtomicBool::new(false),
            plan: plan.clone(),
            watch,
        })
    }

    /// Asks the judge, and ends the run at the first violation, unless it is to go on.
    fn judge<R>(&self, of: impl FnOnce(&mut Judge) -> R) -> R {
        let mut judge = locked(&self.judge);
        let result = of(&mut judge);
        if !self.watch.goes_on && !judge.violations().is_empty() {
            self.violated.store(true, Ordering::Relaxed);
        }
        result
    }

    /// The next move of the scheduler. It ends the run if nobody can go on, or if somebody says so.
    fn choose(&self, of: &simulation::Alternatives, limits: &Limits, steps: &mut u64) -> Move {
        let is_well = is_set(&self.well);
        let latest = if is_well { limits.healed } else { limits.served };
        let is_overdue = of.now > latest || *steps > limits.steps;
        self.overdue.fetch_or(is_overdue, Ordering::Relaxed);
        let user = self.watch.stop.as_deref();
        if is_overdue || of.tasks.is_empty() || is_set(&self.violated) || user.is_some_and(is_set) {
            locked(&self.judge).freezes();
            return Move::Stop;
        }
        let moved = locked(&self.chooser).choose(of, is_well);
        if let Move::Run(index) = moved {
            let task = of.tasks.get(index).copied().unwrap_or_default();
            *steps += u64::from(locked(&self.serves).get(task).copied().unwrap_or(false));
        }
        moved
    }

    fn serves(&self, task: usize, whether: bool) {
        let mut serves = locked(&self.serves);
        if serves.len() <= task {
            serves.resize(task + 1, false);
        }
        serves[task] = whether;
    }
}

/// Whether the plan can be carried out.
///
/// # Errors
///
/// What the builder of a cache says.
pub fn check(plan: &Plan) -> Result<(), ConfigError> {
    let shared = Shared::new(plan, Chooser::data(&[], plan.length), Watch::default());
    let body = move || {
        let clock = Arc::new(DayClock::new(&shared));
        let Service { pool, .. } = Service::new(&shared, &clock)?;
        pool.iter().for_each(|pool| pool.shut_down(Waiting::Drop));
        Ok(())
    };
    match Simulation::default().run(|_| Move::Run(0), body).outcome {
        Some(Outcome::Returned(checked)) => checked,
        _ => Ok(()),
    }
}

/// Runs a plan with this traffic and this chooser.
pub fn run(
    plan: &Plan,
    traffic: impl Iterator<Item = Arrival> + Send + 'static,
    chooser: Chooser,
    watch: Watch,
) -> (Run, Chooser) {
    let record = watch.record;
    let shared = Shared::new(plan, chooser, watch);
    let (limits, mut steps, of_scheduler) = (Limits::of(plan), 0, Arc::clone(&shared));
    let choose = move |of: &simulation::Alternatives| of_scheduler.choose(of, &limits, &mut steps);
    let of_tasks = Arc::clone(&shared);
    let body = move || {
        let clock = Arc::new(DayClock::new(&of_tasks));
        let (traffic, service) = (Mutex::new(Box::new(traffic) as _), Mutex::new(None));
        Arc::new(World { shared: of_tasks, clock, traffic, service }).day();
    };
    let simulated = Simulation { record }.run(choose, body);
    ended(&shared, simulated)
}

/// What is left of a run.
fn ended(shared: &Shared, simulated: Simulated<()>) -> (Run, Chooser) {
    // A twin that leaks a lease leaks what it shares too. So it is taken out.
    fn taken<T>(mutex: &Mutex<T>, instead: T) -> T {
        std::mem::replace(&mut *locked(mutex), instead)
    }
    let Simulated { outcome, now, decisions, steps, made_at, .. } = simulated;
    let mut judge = taken(&shared.judge, Judge::new(false));
    let mut books = taken(&shared.books, Books::empty());
    let chooser = taken(&shared.chooser, Chooser::data(&[], Duration::ZERO));
    let names = taken(&shared.names, BTreeMap::new());
    let in_a_circle = judge.froze_in_a_circle();
    let for_ever = if in_a_circle { Invariant::NoDeadlock } else { Invariant::NoWaiterLeftBehind };
    let end = Now { time: now, clock: 0, task: 0, step: 0 };
    if is_set(&shared.overdue) {
        judge.report(
            end,
            for_ever,
            "a request still waits, long after the end of the day or after too many steps".into(),
        );
    }
    match &outcome {
        Some(Outcome::Deadlock(waiting)) => {
            let tasks: Vec<_> = waiting.iter().map(|(task, _)| task).collect();
            judge.report(end, for_ever, format!("{} tasks wait for ever: {tasks:?}", tasks.len()));
        }
        Some(Outcome::Panicked(message)) => {
            judge.report(end, Invariant::NoPanic, format!("a panic: {message}"));
        }
        Some(Outcome::Returned(())) | None => {}
    }
    books.happened(Fault::Stragglers, chooser.stalls);
    let cut = outcome.is_none() && judge.violations().is_empty();
    (Run { judge, books, now, steps, made_at, decisions, names, cut }, chooser)
}

/// A run that gets beyond these has somebody in it who waits for ever.
struct Limits {
    /// When every caller has returned at the latest.
    served: Duration,
    /// When everything is over at the latest.
    healed: Duration,
    /// The most steps of those who serve requests.
    steps: u64,
}

impl Limits {
    fn of(plan: &Plan) -> Self {
        let day = Duration::from_secs(86_400);
        let Options { wait_timeout, storage, back_off, idle, .. } = plan.options;
        let waits = if wait_timeout == Duration::MAX { Duration::ZERO } else { wait_timeout };
        // Whoever came before the end is served or leaves; a compute may ask for two more keys.
        let served = plan.length.saturating_add((LATE + waits.min(day) + WELL * 100) * 8);
        let keys = u32::try_from(plan.keys).unwrap_or(u32::MAX);
        let of_keys = (patience(plan) + waits.min(day)).saturating_mul(keys);
        let swept = storage.saturating_add(back_off.1).saturating_add(idle).saturating_mul(8);
        let healed = served.saturating_add(of_keys).saturating_add(swept).saturating_add(day * 2);
        // A request takes about twenty steps, one in a crowd of waiters some hundreds. A waiter behind two hung computes
        // tries once a second to revoke one, in about ten steps.
        let of_requests = (plan.requests + plan.keys + 1_000).saturating_mul(1_000);
        let of_polls = plan.length.as_secs().saturating_mul(plan.callers as u64 * 10);
        let steps = of_requests.saturating_add(of_polls);
        Self { served, healed, steps }
    }
}

/// How long a key may take to get a new value when everything is well: what is fresh runs out, and a back-off ends.
/// A clock that has stepped back prolongs both by less than as much again. What waits in the queue is run, and what a full
/// queue refuses is tried again, once for each key that is tried beside it.
fn patience(plan: &Plan) -> Duration {
    let options = &plan.options;
    let queue = plan.pool.map_or(1, |(_, queue)| queue as u32);
    let lives = options.payload.min(options.storage).saturating_mul(2);
    let backs_off = options.back_off.1.saturating_mul(2);
    let beside = u32::try_from(plan.keys.min(64)).unwrap_or(64);
    lives.saturating_add(backs_off).saturating_add(WELL * (queue + 10) + WELL * beside * 8)
}

/// Reads the events of one cache.
struct Reader {
    generation: usize,
    shared: Arc<Shared>,
    clock: Arc<DayClock>,
    /// `Metrics` would take a step for each count, and the next event of the section would come later. So it counts at
    /// the end.
    counted: Option<Counted>,
}

impl Observer for Reader {
    fn on(&self, key: u64, event: CoreEvent) {
        if let Some(counted) = &self.counted {
            locked(counted).push((key, event));
        }
        let now = self.clock.moment();
        self.shared.judge(|judge| judge.on(now, self.generation, key, plain_event(event)));
    }
}

/// The executor of a cache, with what goes wrong in it.
struct Sender {
    pool: Option<WorkerPool>,
    shared: Arc<Shared>,
}

impl Executor for Sender {
    fn execute(&self, job: Job) -> Result<(), Job> {
        let Some(pool) = &self.pool else { return CallerRuns.execute(job) };
        let task = sections::task();
        let sent = locked(&self.shared.sent).get(task).copied().unwrap_or(Sent::Runs);
        match sent {
            Sent::Runs => pool.execute(job),
            Sent::Refused => Err(job),
            Sent::Dies(after) => {
                // Dead workers are found at the end of the day at the latest.
                let end = self.shared.plan.length.max(now());
                let at = now().saturating_add(Duration::from_nanos(after)).min(end);
                drop(spawn(move || {
                    sleep_until(at);
                    drop(job);
                }));
                Ok(())
            }
        }
    }

    fn runs_at_once(&self) -> bool {
        self.pool.is_none()
    }
}

impl Service {
    fn new(shared: &Arc<Shared>, clock: &Arc<DayClock>) -> Result<Self, ConfigError> {
        let plan = &shared.plan;
        let pool = plan.pool.map(|(workers, queue)| WorkerPool::new(workers, queue)).transpose()?;
        let generation = locked(&shared.judge).open(Terms::of(plan));
        let counted = plan.counted.then(Counted::default);
        let (shared, of_draws) = (Arc::clone(shared), Arc::clone(shared));
        let reader = Reader {
            generation,
            shared: Arc::clone(&shared),
            clock: Arc::clone(clock),
            counted: counted.clone(),
        };
        let draw = move || unit(of_draws.plan.seed, of_draws.draws.fetch_add(1, Ordering::Relaxed));
        let parts = Parts {
            clock: Arc::clone(clock) as _,
            observer: Arc::new(reader),
            executor: Arc::new(Sender { pool: pool.clone(), shared: Arc::clone(&shared) }),
            draw: Box::new(draw),
        };
        let cache = open(shared.plan.protocol, &shared.plan.options, parts)?;
        Ok(Self { generation, cache, pool, counted })
    }
}

impl World {
    fn plan(&self) -> &Plan {
        &self.shared.plan
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        locked(&self.shared.books)
    }

    /// Another service, whose tasks get names.
    fn start(&self) -> Service {
        let before = simulation::tasks();
        let service = Service::new(&self.shared, &self.clock);
        let workers = self.plan().pool.map_or(0, |(workers, _)| workers);
        for (number, task) in (1..).zip(before + 1..=simulation::tasks()) {
            let name = if number > workers { "sweeper".into() } else { format!("worker {number}") };
            locked(&self.shared.names).insert(task, name);
            self.shared.serves(task, number <= workers);
        }
        service.unwrap_or_else(|error| unreachable!("the plan was checked: {error}"))
    }

    fn now(&self) -> Now {
        self.clock.moment()
    }

    fn judge<R>(&self, of: impl FnOnce(&mut Judge) -> R) -> R {
        self.shared.judge(of)
    }

    fn violated(&self, invariant: Invariant, what: String) {
        let now = self.now();
        self.judge(|judge| judge.report(now, invariant, what));
    }

    fn service(&self) -> Service {
        locked(&self.service).clone().unwrap_or_else(|| unreachable!("there is a service by day"))
    }

    /// The whole run.
    fn day(self: &Arc<Self>) {
        let first = self.start();
        *locked(&self.service) = Some(first);
        let callers: Vec<_> = (1..=self.plan().callers)
            .map(|number| self.task(format!("caller {number}"), Self::calls))
            .collect();
        let watcher = self.task("watcher".into(), Self::watches);
        self.join(callers);
        // What hangs or stands still does so until then.
        sleep_until(self.plan().length);
        self.join(vec![watcher]);
        self.clock.heal();
        self.shared.well.store(true, Ordering::Relaxed);
        self.drains();
        self.judge(Judge::heals);
        let keys = self.plan().keys;
        let healers = self.plan().callers.min(usize::try_from(keys).unwrap_or(usize::MAX)).min(64);
        let healers: Vec<_> = (0..healers as u64)
            .map(|number| {
                let name = format!("healer {}", number + 1);
                self.task(name, move |world| world.heals((number..keys).step_by(healers)))
            })
            .collect();
        self.join(healers);
        self.rests();
    }

    fn task(
        self: &Arc<Self>,
        name: String,
        work: impl FnOnce(&Arc<Self>) + Send + 'static,
    ) -> JoinHandle<()> {
        let world = Arc::clone(self);
        let handle = spawn(move || work(&world));
        self.shared.serves(handle.task(), name.starts_with("caller"));
        locked(&self.shared.names).insert(handle.task(), name);
        handle
    }

    fn join(&self, tasks: Vec<JoinHandle<()>>) {
        for task in tasks {
            if let Err(panic) = task.join() {
                resume_unwind(panic);
            }
        }
    }

    /// A caller: it takes what comes next, whenever it is free.
    fn calls(self: &Arc<Self>) {
        loop {
            let Some(Arrival { at, act }) = locked(&self.traffic).next() else { return };
            let at = Duration::from_nanos(at);
            sleep_until(at);
            let late = now().saturating_sub(at);
            self.books().comes(&act);
            match act {
                Act::Ask(_) if late > LATE => self.books().left(now()),
                Act::Ask(ask) => {
                    let answered = self.ask(&ask);
                    let took = now().saturating_sub(at);
                    self.books().answered(now(), took, answered.is_ok());
                }
                Act::Insert(key) => self.insert(key, false),
                Act::InsertThatAsks(key) => self.insert(key, true),
                Act::Invalidate(key) => self.service().cache.invalidate(key),
                Act::InvalidateAll => {
                    let service = self.service();
                    self.judge(|judge| judge.clears(service.generation));
                    service.cache.invalidate_all();
                }
                Act::Sweep => self.service().cache.sweep(),
                Act::StepBack(span) => {
                    self.clock.step_back(span);
                    self.judge(Judge::steps_back);
                }
                Act::StandStill(span) => self.clock.stand_still(span),
                Act::Restart => self.restart(),
                Act::Begins(_) => {}
            }
        }
    }

    fn insert(self: &Arc<Self>, key: u64, asks_at_drop: bool) {
        let Service { generation, cache, .. } = self.service();
        let now = self.now();
        let content = self.judge(|judge| judge.puts(now, hash_of(key), key));
        let value = if asks_at_drop {
            let (world, inside) = (Arc::clone(self), Arc::downgrade(&cache));
            Value::that_drops(content, move || world.dropped(generation, &inside, key))
        } else {
            content.into()
        };
        cache.insert(key, value);
    }

    /// A value was dropped, and asks for its key.
    fn dropped(self: &Arc<Self>, generation: usize, cache: &Weak<dyn Opened>, key: u64) {
        let by_day = !std::thread::panicking() && !is_set(&self.shared.well);
        if let Some(cache) = cache.upgrade().filter(|_| by_day) {
            let takes = self.plan().takes.as_nanos() as u64;
            let ask =
                Ask { key, inner: None, takes, origin: Origin::Returns, executor: Sent::Runs };
            drop(self.ask_of(generation, &cache, &ask, 1));
        }
    }

    /// The next service takes over, and the pool of the old one is shut down.
    fn restart(self: &Arc<Self>) {
        let next = self.start();
        let Some(old) = locked(&self.service).replace(next) else { return };
        // The restart does not wait for computes that hang.
        let world = Arc::clone(self);
        let Service { generation, cache, pool, .. } = old;
        drop(spawn(move || {
            if let Some(pool) = pool {
                pool.shut_down(Waiting::Drop);
            }
            world.leaves_no_lease(generation, cache);
        }));
    }

    /// The pool of a cache that nobody asks any more was shut down: no lease is left with it.
    fn leaves_no_lease(&self, generation: usize, cache: Arc<dyn Opened>) {
        let at = self.now();
        self.judge(|judge| judge.shut_down(at, generation));
        let mut wait = WELL;
        loop {
            let (open, leases) =
                (self.judge(|judge| judge.open_requests(generation)), cache.usage().leases);
            if open == 0 && leases == 0 {
                self.judge(|judge| judge.close(generation));
                return;
            }
            // What hangs, and what dead workers have, is over at the end of the day.
            let end = self.plan().length.saturating_add(MINUTE);
            if now() >= end {
                break;
            }
            sleep_until((now() + wait).min(end));
            wait *= 2;
        }
        let leases = cache.usage().leases;
        if self.judge(|judge| judge.open_requests(generation)) == 0 && leases > 0 {
            let what = format!("{leases} leases are left after the shutdown of the pool");
            self.violated(Invariant::ShutdownDrains, what);
        }
    }

    /// A request, and whether its look found a fresh value.
    fn ask(self: &Arc<Self>, ask: &Ask) -> Result<(Served, bool), Error> {
        let Service { generation, cache, .. } = self.service();
        self.ask_of(generation, &cache, ask, 0)
    }

    fn ask_of(
        self: &Arc<Self>,
        generation: usize,
        cache: &Arc<dyn Opened>,
        ask: &Ask,
        depth: u32,
    ) -> Result<(Served, bool), Error> {
        cache.enter();
        let hash = hash_of(ask.key);
        let begun = self.now();
        self.judge(|judge| judge.asked(begun, generation, hash, ask.key));
        let before = self.send(ask.executor);
        let (world, of) = (Arc::clone(self), *ask);
        let inside = Arc::downgrade(cache);
        let compute: Compute = Box::new(move |_| world.compute(generation, &inside, &of, depth));
        let answer = cache.request(ask.key, compute);
        self.send(before);
        let now = self.now();
        match answer {
            Ok(served) => Ok((served, self.judge(|judge| judge.answered(now, served.content)))),
            Err(error) => {
                self.judge(|judge| judge.refused(now, compute_of(&error)));
                Err(error)
            }
        }
    }

    /// Sets what the executor does with the refreshes of this task. Returns what it did before.
    fn send(&self, to: Sent) -> Sent {
        let task = sections::task();
        let mut sent = locked(&self.shared.sent);
        if sent.len() <= task {
            sent.resize(task + 1, Sent::Runs);
        }
        std::mem::replace(&mut sent[task], to)
    }

    fn compute(
        self: &Arc<Self>,
        generation: usize,
        cache: &Weak<dyn Opened>,
        ask: &Ask,
        depth: u32,
    ) -> Result<Value, io::Error> {
        let now = self.now();
        let content = self.judge(|judge| judge.makes(now, generation, hash_of(ask.key), ask.key));
        // The origin answers at the latest when the day is over.
        let end = simulation::now().saturating_add(Duration::from_nanos(ask.takes));
        let end = end.min(self.plan().length.max(simulation::now() + WELL));
        sleep_until(end);
        if let Some(inner) = ask.inner
            && let Some(cache) = cache.upgrade()
        {
            // Some inner computes come back to the first key.
            let back = (depth == 0 && ask.takes.is_multiple_of(4)).then_some(ask.key);
            let inner = Ask { key: inner, inner: back, ..*ask };
            if self.ask_of(generation, &cache, &inner, depth + 1).is_err() {
                return Err(io::Error::other(Down(content)));
            }
        }
        match ask.origin {
            Origin::Returns => Ok(content.into()),
            Origin::Fails => Err(io::Error::other(Down(content))),
            Origin::Panics => resume_unwind(Box::new(Down(content).to_string())),
        }
    }

    /// Looks at the service once a minute, or so often if the run is shorter.
    fn watches(self: &Arc<Self>) {
        let period =
            MINUTE.min(self.plan().length / self.plan().looks).max(Duration::from_nanos(1));
        let mut next = Duration::ZERO;
        while next < self.plan().length {
            next += period;
            sleep_until(next);
            let Service { cache, generation, .. } = self.service();
            let usage = cache.usage();
            if usage.keys > self.plan().options.capacity {
                let what =
                    format!("{} keys, and room for {}", usage.keys, self.plan().options.capacity);
                self.violated(Invariant::BoundedMemory, what);
            }
            let (counts, of_cache, events) =
                self.judge(|judge| (*judge.counts(), judge.counts_of(generation), judge.events()));
            let progress = &self.shared.watch.progress;
            progress.seconds.store(now().as_secs(), Ordering::Relaxed);
            progress.requests.store(counts.requests(), Ordering::Relaxed);
            progress.events.store(events, Ordering::Relaxed);
            self.books().looks(now(), counts, of_cache, &usage);
        }
    }

    /// After the traffic everything is well. Each key is requested until it is fresh, or a value comes that was made since.
    fn heals(self: &Arc<Self>, keys: impl Iterator<Item = u64>) {
        let longest = patience(self.plan());
        for key in keys {
            let began = now();
            loop {
                // A compute that is overdue each time would never publish.
                let takes = WELL.min(self.plan().options.compute_timeout / 4).as_nanos() as u64;
                let ask =
                    Ask { key, inner: None, takes, origin: Origin::Returns, executor: Sent::Runs };
                let is_healed = match self.ask(&ask) {
                    Ok((_, true)) => true,
                    // It may be fresh for no time at all, or evicted at once.
                    Ok((served, _)) => self.judge(|judge| judge.is_healthy(served.content)),
                    Err(_) => false,
                };
                let is_late = now().saturating_sub(began) > longest;
                if is_healed && !is_late {
                    break;
                }
                if is_late {
                    let what = format!(
                        "key {key} is not fresh {longest:?} after everything is well again"
                    );
                    self.violated(Invariant::RefreshMakesProgress, what);
                    break;
                }
                sleep_until(now() + (longest / 200).max(WELL));
            }
            self.books().healed(now().saturating_sub(began));
        }
    }

    /// No caller asks any more. Once no lease is held, only the keys with failures have slots.
    fn drains(&self) {
        let Service { generation, cache, .. } = self.service();
        let until = now().saturating_add(patience(self.plan()));
        while cache.usage().leases > 0 && now() < until {
            sleep_until(now() + WELL);
        }
        self.has_slots_for_failures(generation, &cache);
    }

    /// Nothing is under way any more: no lease is held, the counters balance, and what is past its time can be swept.
    fn rests(self: &Arc<Self>) {
        let Some(Service { generation, cache, pool, counted }) = locked(&self.service).take()
        else {
            return;
        };
        if let Some(pool) = &pool {
            let is_even = self.plan().seed.is_multiple_of(2);
            pool.shut_down(if is_even { Waiting::Run } else { Waiting::Drop });
            let now = self.now();
            self.judge(|judge| judge.shut_down(now, generation));
        }
        // A refresh that a dead worker had is dropped a storage TTL later at the latest.
        let (leased, released) = self.judge(|judge| judge.balance(generation));
        if leased != released {
            let longest = self.plan().options.storage.min(Duration::from_secs(86_400));
            sleep_until(now().saturating_add(longest).saturating_add(WELL));
        }
        self.holds_nothing(generation, &cache);
        self.balances(generation, counted);
        self.leaves_nothing(&cache);
        self.books().ends();
    }

    fn holds_nothing(&self, generation: usize, cache: &Arc<dyn Opened>) {
        let leases = cache.usage().leases;
        if leases > 0 {
            let what = format!("{leases} leases are held at rest");
            self.violated(Invariant::LeaseAlwaysReleased, what);
        }
        let (leased, released) = self.judge(|judge| judge.balance(generation));
        if leased != released {
            let what = format!("{leased} leases were taken and {released} released");
            self.violated(Invariant::LeaseAlwaysReleased, what);
        }
        self.has_slots_for_failures(generation, cache);
    }

    /// Unless leases are held. A sweep may come while the shards are counted: so there are at most as many slots as keys had
    /// failures before that or after it.
    fn has_slots_for_failures(&self, generation: usize, cache: &Arc<dyn Opened>) {
        let failing = || self.judge(|judge| judge.failing(generation));
        let before = failing();
        let Usage { leases, slots, .. } = cache.usage();
        let failing = before.max(failing());
        if leases == 0 && slots > failing {
            let what = format!("{slots} slots and no lease, and {failing} keys with failures");
            self.violated(Invariant::LockTableDrains, what);
        }
    }

    fn balances(&self, generation: usize, counted: Option<Counted>) {
        let (counts, asked) =
            self.judge(|judge| (judge.counts_of(generation), judge.asked_of(generation)));
        if let Some(events) = counted {
            let metrics = Metrics::new();
            let events = std::mem::take(&mut *locked(&events));
            events.into_iter().for_each(|(key, event)| metrics.on(key, event));
            let of_metrics: BTreeMap<_, _> = metrics.snapshot().counters().collect();
            if of_metrics != counts.all().collect() {
                let what = "a counter is not the number of its events";
                self.violated(Invariant::MetricsBalance, what.into());
            }
        }
        if counts.requests() != asked {
            let what = format!("{asked} requests, and {} are counted", counts.requests());
            self.violated(Invariant::MetricsBalance, what);
        }
        let ended = counts.failed + counts.published + counts.discarded;
        let unused = counts.skipped_inside + counts.dropped + counts.taken_over;
        if counts.computes != ended || counts.leased != counts.computes + unused {
            let what = format!("the events do not balance: {counts:?}");
            self.violated(Invariant::MetricsBalance, what);
        }
    }

    /// Beyond every deadline, that of an entry from the future too, a sweep leaves nothing.
    fn leaves_nothing(&self, cache: &Arc<dyn Opened>) {
        let Options { storage, back_off, idle, .. } = self.plan().options;
        let span = storage.saturating_add(back_off.1).saturating_add(idle);
        sleep_until(now().saturating_add(span).saturating_add(span).saturating_add(WELL));
        cache.sweep();
        let Usage { keys, leases, slots, .. } = cache.usage();
        if (keys, leases, slots) != (0, 0, 0) {
            let what = format!("a sweep past every deadline leaves {keys} keys and {slots} slots");
            self.violated(Invariant::BoundedMemory, what);
        }
    }
}

/// A draw in (0, 1]: the number of this place in the stream of a seed (SplitMix64).
fn unit(seed: u64, place: u64) -> f64 {
    let mut mixed = seed.wrapping_add(place.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    ((mixed >> 11) + 1) as f64 / (1_u64 << 53) as f64
}
