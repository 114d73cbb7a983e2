//! The HTML report in headless Chromium, through the DevTools protocol.
//!
//! It looks at `target/xfetch/report.html`, which the main command and `xfetch report` write. Chromium is Debian's package
//! `chromium`. axe-core is the file in `XFETCH_AXE`. Without one of them a test says that nothing was checked, and passes,
//! unless `XFETCH_BROWSER` is set.

mod browser;

use browser::{Browser, must};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file of the build's folder.
fn built(name: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    let path = target.join(name);
    path.canonicalize()
        .unwrap_or_else(|error| panic!("{}: {error}. Run the main command first", path.display()))
}

fn page() -> String {
    format!("file://{}", built("xfetch/report.html").display())
}

/// What the second expression gives for each element `it` of the first one.
fn texts(browser: &mut Browser, elements: &str, text: &str) -> BTreeSet<String> {
    let given =
        browser.value(&format!("[...document.querySelectorAll({elements:?})].map((it) => {text})"));
    let all = given.as_array().into_iter().flatten();
    all.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Saves what is seen, if `XFETCH_SCREENSHOTS` names a folder.
fn photograph(browser: &mut Browser, name: &str) {
    if let Some(folder) = env::var_os("XFETCH_SCREENSHOTS") {
        let path = PathBuf::from(folder).join(name).with_extension("png.base64");
        std::fs::write(&path, browser.photograph())
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

#[test]
fn every_token_of_the_page_is_one_that_replay_accepts() {
    let Some(mut browser) = Browser::start(1200) else { return };
    browser.open(&page());
    let commands = texts(&mut browser, "[data-copy]", "it.dataset.copy");
    assert!(commands.len() > 40, "only {} commands", commands.len());
    for command in commands {
        let token = command.rsplit(' ').next().unwrap_or_default();
        let replayed = Command::new(built("release/xfetch")).args(["replay", token]).output();
        let code = replayed.unwrap_or_else(|error| panic!("{command}: {error}")).status.code();
        assert_eq!(code, Some(0), "{command}: it is not reproduced");
    }
}

/// The caller from whom something can be violated.
const TOWARDS_A_VIOLATION: &str = "[...document.querySelectorAll('#explored [data-task]')]
    .find((it) => !/ 0 of /.test(it.textContent))?.dataset.task";

fn judged(browser: &mut Browser) -> String {
    let judged = browser.value("document.getElementById('judged').textContent");
    judged.as_str().unwrap_or_default().to_owned()
}

#[test]
fn the_explorer_reaches_the_violation_of_an_early_release_by_clicks_and_its_address_brings_it_back()
{
    let Some(mut browser) = Browser::start(1200) else { return };
    browser.open(&format!("{}#x=field,release-before-publish,", page()));
    assert_eq!(judged(&mut browser), "nothing is violated so far");
    let mut clicks = 0;
    while !judged(&mut browser).starts_with("violated") {
        let task = browser.value(TOWARDS_A_VIOLATION);
        let task = task.as_str().expect("some way on violates an invariant").to_owned();
        browser.click(&format!("#explored [data-task=\"{task}\"]"));
        clicks += 1;
        assert!(clicks < 40, "no violation after {clicks} clicks");
    }
    assert!(judged(&mut browser).contains("one-compute-per-window"));
    photograph(&mut browser, "explorer");
    let address = browser.value("location.href");
    browser.click("#again");
    assert_eq!(judged(&mut browser), "nothing is violated so far");
    browser.open("about:blank");
    browser.open(address.as_str().expect("an address"));
    assert!(judged(&mut browser).contains("one-compute-per-window"));
}

#[test]
fn the_explorer_is_usable_by_the_keyboard_alone() {
    let Some(mut browser) = Browser::start(1200) else { return };
    browser.open(&format!("{}#x=field,double-recheck,", page()));
    browser.value("document.querySelector('#explored [data-task]').focus()");
    let mut steps = 0;
    // The focus stays on the first caller that can go on. At the end it is on a button that goes back, or on the heading.
    while browser.value("document.activeElement.dataset.task !== undefined") == json!(true) {
        browser.press_enter();
        steps += 1;
        assert!(steps < 40, "{steps} steps, and no end");
    }
    assert_ne!(browser.value("document.activeElement.tagName"), json!("BODY"), "the focus is lost");
    // One caller refreshes in six sections, and the other one at least looks.
    assert!(steps >= 7, "only {steps} steps");
}

#[test]
fn axe_finds_nothing_serious_in_the_light_and_in_the_dark() {
    let Some(axe) = env::var_os("XFETCH_AXE") else {
        assert!(!must(), "XFETCH_BROWSER is set, and XFETCH_AXE is not");
        eprintln!("NOT CHECKED: XFETCH_AXE does not name axe.min.js (npm: axe-core)");
        return;
    };
    let axe = std::fs::read_to_string(&axe).expect("axe can be read");
    for (scheme, width) in [("light", 1200), ("dark", 1200), ("light", 400), ("dark", 400)] {
        let Some(mut browser) = Browser::start(width) else { return };
        let scheme_of =
            json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        browser.tell("Emulation.setEmulatedMedia", scheme_of);
        browser.open(&page());
        photograph(&mut browser, &format!("{scheme}-{width}"));
        // Nothing is to stay unseen.
        browser.value("document.querySelectorAll('details').forEach((it) => { it.open = true; })");
        // axe notes the place of each element once. An article that is laid out only when it is scrolled to would move
        // the others after that, and axe would compare their text with the background of another place.
        browser.value("document.querySelectorAll('article').forEach((it) => { it.style.contentVisibility = 'visible'; })");
        browser.value(&format!("{axe};null"));
        let found = browser.value(
            "axe.run().then((it) => it.violations.filter((it) => ['serious', 'critical'].includes(it.impact))
                .map((it) => `${it.id}: ${it.nodes.length} times, ${it.nodes[0].target}: ${it.nodes[0].html.slice(0, 300)}
                    ${it.nodes[0].failureSummary}`))",
        );
        assert_eq!(found, json!([]), "{scheme}, {width} pixels");
    }
}

/// No number is asserted: a machine may be slow. It is printed.
#[test]
fn the_page_loads_on_a_processor_of_a_quarter_of_the_speed() {
    let Some(mut browser) = Browser::start(400) else { return };
    browser.tell("Emulation.setCPUThrottlingRate", json!({ "rate": 4 }));
    browser.open(&page());
    let took = browser.value(
        "(() => { const it = performance.getEntriesByType('navigation')[0]; return it.loadEventEnd - it.startTime; })()",
    );
    println!("loaded in {took} ms at a quarter of the processor's speed");
    assert!(took.as_f64().is_some_and(|took| took > 0.0));
}
