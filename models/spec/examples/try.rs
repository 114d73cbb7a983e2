//! x
use std::time::Instant;
use xfetch_spec::smt::*;
fn main() {
    for m in xfetch_spec::mutate::ALL {
        let system = match m.system() {
            Ok(it) => it,
            Err(e) => {
                println!("{e}");
                continue;
            }
        };
        let t = Instant::now();
        let mut out = String::new();
        for n in 1..=3 {
            let f = xfetch_spec::exact::search(&system, n, 400_000);
            out += &format!(
                "N={n} {:?}{} ",
                f.violated.keys().collect::<Vec<_>>(),
                if f.cut_off { "cut" } else { "" }
            );
            if let (Some(b), Some(p)) = (m.breaks, m.breaks.and_then(|b| f.violated.get(b))) {
                out += &format!("{b} {p:?}");
                break;
            }
        }
        let f = xfetch_spec::counters::search(&system, 300_000);
        let c = xfetch_spec::induction::check(&system, None);
        println!(
            "{} wants {:?}: {out}\n   counters {:?} unheld {} cut {} {} {}\n   induction {:?} {:?}",
            m.name,
            m.breaks,
            f.violated.keys().collect::<Vec<_>>(),
            f.unheld.is_some(),
            f.cut_off,
            f.states,
            f.moves,
            c.broken.keys().map(|k| format!("{}:{}", k.step, k.claim)).collect::<Vec<_>>(),
            t.elapsed()
        );
    }
    let system = xfetch_spec::table::System::shipped().unwrap();
    let (script, questions) = script(&system);
    for s in Solver::ALL {
        let t = Instant::now();
        println!("{:?} {:?} {:?}", s.version(), s.ask(&script, &questions), t.elapsed());
    }
}
