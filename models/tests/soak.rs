//! The mixed load of the command `soak`, with a fixed number of steps. Only the command, which runs
//! longer, checks the memory.

use xfetch_models::soak::{Load, soak};

#[test]
fn after_a_mixed_load_every_check_holds() {
    let soaked = soak(Load::Steps(20_000), &mut |_| {}).expect("eight threads can start");
    println!("{:?}", soaked.counted);
    for check in &soaked.checks {
        assert!(check.holds, "{check:?}");
    }
    assert!(soaked.counted.requests() > 8 * 19_000, "{:?}", soaked.counted);
}
