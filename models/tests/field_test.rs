//! The certification of the field report with the shipped code, with its lifetimes scaled down. Times are the
//! machine's too, and not judged here.
//!
//! - every response is there while the one compute is held;
//! - what counts of the report's criteria is met, and the one that is not is the design's;
//! - the value is published to all who ask while it is.

use xfetch_models::field_test::{Kind, Measured, Setting, certify};

const THREADS: usize = 100;

fn run() -> Measured {
    let certified = certify(Setting::SCALED, THREADS).expect("a hundred threads are few");
    println!("{certified:?}");
    certified
}

#[test]
fn a_hundred_stale_hits_are_answered_while_one_compute_is_held() {
    let certified = run();
    assert_eq!((certified.computes, certified.wasted, certified.most_in_flight), (1, 0, 1));
    assert_eq!((certified.while_held, certified.answered), (THREADS, THREADS));
    assert!(certified.next_is_new);
    let [.., rejections, _, _, _] = certified.criteria();
    assert_eq!((rejections.kind, rejections.passed), (Kind::ByDesign, false));
    assert_eq!(rejections.value, certified.first_wave.contended.to_string());
    assert_eq!(certified.first_wave.contended, THREADS as u64 - 1);
    let counted = certified.criteria().into_iter().filter(|it| it.kind == Kind::Counted);
    let not_passed: Vec<_> = counted.filter(|it| !it.passed).collect();
    assert!(not_passed.is_empty(), "{not_passed:?}");
}
