//! The command `expiry`: what keys that were written together do to the origin, with and without jitter.

use super::{Page, keep, name, refuse, write};
use serde_json::{Value, json};
use std::path::Path;
use std::process::ExitCode;
use xfetch_models::page::markdown;
use xfetch_simulate::expiry::{Burst, EVERY, KEYS, PAYLOAD, SLICE, bursts, svg};

/// The name of the command, and its page.
const PAGE: (&str, &str) = ("expiry", "docs/EXPIRY.md");
/// The picture, beside the page.
const PICTURE: &str = "expiry.svg";

/// Exit code 0: the page is written, or unchanged; 1: it has changed.
pub(super) fn run(options: &Page) -> ExitCode {
    if let Err(cannot) = options.is_usable(PAGE.1) {
        return refuse(cannot);
    }
    let bursts = bursts();
    if !options.check {
        let path = options.path(PAGE.1).parent().unwrap_or(Path::new(".")).join(PICTURE);
        let written = match svg(&bursts) {
            Ok(picture) => write(&path, &picture),
            Err(not_drawn) => Err(format!("{}: {not_drawn}", name(&path))),
        };
        if let Err(cannot) = written {
            return refuse(cannot);
        }
    }
    keep(options, PAGE, &page(&bursts), None, json(&bursts))
}

fn page(bursts: &[Burst]) -> String {
    let row = |burst: &Burst| {
        vec![burst.jitter.to_string(), burst.peak().to_string(), burst.total().to_string()]
    };
    let peak = format!("most computes in {SLICE:?}");
    format!(
        "# Keys that expire together\n\n\
         A bulk load writes {KEYS} keys at once, with a payload TTL of {PAYLOAD:?}. Each key is requested every {EVERY:?}. So all\n\
         keys become [stale](GLOSSARY.md#stale) at once, and each needs a compute. A compute takes 1 ms, and there are 16\n\
         workers. Early refresh is off; with it, as by default, the peak without jitter would be lower. All is of one seed.\n\n\
         `Builder::jitter` shortens the payload TTL of each entry by a random share, between 0 and the\n\
         [jitter](GLOSSARY.md#jitter). The mean loss is half of the jitter, and so keys are refreshed more often. The storage\n\
         TTL stays as it is. More jitter does not always help: compare the last two rows.\n\n{}\n\n\
         ![computes over time, with and without jitter]({PICTURE})\n\n\
         `cargo run --release -- expiry` runs the shipped code for 25 s of virtual time with each jitter, and writes this page\n\
         and its picture. CI runs it again and compares.\n",
        markdown(&["jitter", &peak, "computes in all"], bursts.iter().map(row).collect()),
    )
}

/// The rows of the page, and the computes that the picture shows. `docs/REPORT.md` is the schema.
fn json(bursts: &[Burst]) -> Value {
    let row = |burst: &Burst| {
        json!({
            "jitter": burst.jitter,
            "peak": burst.peak(),
            "total": burst.total(),
            "computes": burst.computes,
        })
    };
    json!({
        "schema": 1,
        "keys": KEYS,
        "payload_seconds": PAYLOAD.as_secs_f64(),
        "every_seconds": EVERY.as_secs_f64(),
        "slice_seconds": SLICE.as_secs_f64(),
        "rows": bursts.iter().map(row).collect::<Vec<_>>(),
    })
}
