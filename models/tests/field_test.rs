//! The certification of the field report with the shipped code, with its lifetimes scaled down. Times are the
//! machine's too, and not judged here.
//!
//! - Every response returns while the one compute is held.
//! - Every criterion that is a count is met, except the one that is missed by design.
//! - The second wave returns the new value.

use xfetch_models::field_test::{self, Kind, Results, Setting};

const THREADS: usize = 100;

fn run() -> Results {
    let results = field_test::run(Setting::SCALED, THREADS).expect("a hundred threads can start");
    println!("{results:?}");
    results
}

#[test]
fn a_hundred_stale_hits_return_while_one_compute_is_held() {
    let results = run();
    assert_eq!((results.computes, results.wasted, results.most_in_flight), (1, 0, 1));
    assert_eq!((results.while_held, results.answered), (THREADS, THREADS));
    assert!(results.next_is_new);
    let [.., rejections, _, _, _] = results.criteria();
    assert_eq!((rejections.kind, rejections.passed), (Kind::ByDesign, false));
    assert_eq!(rejections.value, results.first_wave.contended.to_string());
    assert_eq!(results.first_wave.contended, THREADS as u64 - 1);
    let counted = results.criteria().into_iter().filter(|it| it.kind == Kind::Counted);
    let not_passed: Vec<_> = counted.filter(|it| !it.passed).collect();
    assert!(not_passed.is_empty(), "{not_passed:?}");
}
