//! x
use std::time::Instant;
fn main() {
    let system = match xfetch_spec::table::System::shipped() { Ok(it) => it, Err(e) => { println!("{e}"); return } };
    println!("{} shared {} locals", system.shared_states(), system.local_states());
    for n in 1..=3 {
        let t = Instant::now();
        let f = xfetch_spec::exact::search(&system, n, 3_000_000);
        println!("{n}: {} states {} moves cut {} {:?} {:?}", f.states, f.moves, f.cut_off, t.elapsed(), f.violated);
        let not: Vec<_> = f.taken.iter().zip(&system.table.steps).filter(|(t, _)| !**t).map(|(_, s)| &s.name).collect();
        println!("not taken {not:?}");
        if n < 3 { let t = Instant::now(); let p = xfetch_spec::exact::progress(&system, n, 3_000_000);
        println!("{p:?} {:?}", t.elapsed()); }
    }
}
