//! Dijkstra's dining philosophers. If each takes the fork on the left first, all of them can hold one and wait.
//!
//! `cargo run --release -p sections --example dining_philosophers`

mod demonstrate;

use demonstrate::demonstrate;
use sections::std::sync::{Arc, Mutex};
use sections::std::thread;
use sections::{Coverage, Error, named};

const PHILOSOPHERS: usize = 3;

/// The forks of this philosopher, in the order in which to take them.
type Order = fn(usize) -> [usize; 2];

fn left_first(philosopher: usize) -> [usize; 2] {
    [philosopher, (philosopher + 1) % PHILOSOPHERS]
}

/// All tasks take locks in one order, so they cannot wait in a circle.
fn lower_first(philosopher: usize) -> [usize; 2] {
    let mut forks = left_first(philosopher);
    forks.sort_unstable();
    forks
}

fn scenario(order: Order) {
    let forks: Arc<[Mutex<u32>]> = (0..PHILOSOPHERS).map(|_| Mutex::new(0)).collect();
    forks.iter().enumerate().for_each(|(number, fork)| named(fork, &format!("fork {number}")));
    let tasks = [0, 1, 2].map(|philosopher| {
        let forks = Arc::clone(&forks);
        thread::spawn(move || {
            let [mut first, mut second] =
                order(philosopher).map(|fork| forks[fork].lock().unwrap());
            *first += 1;
            *second += 1;
        })
    });
    tasks.into_iter().for_each(|task| task.join().unwrap());
    assert!(forks.iter().all(|fork| *fork.lock().unwrap() == 2), "each has eaten");
}

fn main() -> Result<(), Error> {
    show().map(drop)
}

fn show() -> Result<Coverage, Error> {
    demonstrate(|| scenario(left_first), || scenario(lower_first))
}

#[test]
fn the_left_fork_first_is_a_deadlock_and_an_order_of_the_forks_is_none() {
    let coverage = show().unwrap();
    assert!(coverage.exhausted && coverage.complete > 1);
}
