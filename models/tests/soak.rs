//! The mixed load of `xfetch soak`, so many steps of it. How much memory it takes is looked at by the
//! command alone, which runs longer.

use xfetch_models::soak::{Load, soak};

#[test]
fn after_a_mixed_load_everything_adds_up() {
    let soaked = soak(Load::Steps(20_000), &mut |_| {}).expect("eight threads are few");
    println!("{:?}", soaked.counted);
    for check in &soaked.checks {
        assert!(check.holds, "{check:?}");
    }
    assert!(soaked.counted.requests() > 8 * 19_000, "{:?}", soaked.counted);
}
