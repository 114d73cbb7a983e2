//! x
use std::time::Instant;
use xfetch_spec::smt::*;
fn main() {
    let system = xfetch_spec::table::System::shipped().unwrap();
    let t = Instant::now();
    let f = xfetch_spec::counters::search(&system, 3_000_000);
    println!(
        "{} states {} moves cut {} {:?} {:?} {:?}",
        f.states,
        f.moves,
        f.cut_off,
        t.elapsed(),
        f.violated,
        f.unheld
    );
    let t = Instant::now();
    let c = xfetch_spec::induction::check(&system, None);
    println!("{c:#?} {:?}", t.elapsed());
    let names: Vec<String> =
        system.claims.iter().filter(|it| !it.is_property).map(|it| it.name.clone()).collect();
    for name in names {
        let c = xfetch_spec::induction::check(&system, Some(&name));
        println!("{name}: {:?} {}", c.broken.keys().next(), c.stuck.is_some());
    }
    let (script, questions) = script(&system);
    for s in Solver::ALL {
        let t = Instant::now();
        println!("{:?} {:?} {:?}", s.version(), s.ask(&script, &questions), t.elapsed());
    }
}
