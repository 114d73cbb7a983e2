//! The documents and the code agree, both ways.
//!
//! - docs/INVARIANTS.md has a section for each invariant, with its sentence and its twins;
//! - every `INVARIANT(slug)` in the core names one of them, and each of them has its marker;
//! - every twin differs in the steps that its entry in the catalogue names, and in no other;
//! - only `src/sync/` names a synchronisation crate, and the layers of `src/` import downwards only;
//! - docs/CERTIFICATE.md has a row for each promise of the catalogue and no other; what `sections` sees in it is
//!   measured again, and a snapshot has it too;
//! - docs/FINDINGS.md has a heading for each claim (`claims.rs` compares the rest);
//! - docs/ARCHITECTURE.md says of each decision which tests, scenarios and twins fail without it, and they exist;
//! - README's commands are CI's;
//! - docs/PERFORMANCE.md counts the executions that an abstract program counts, and has the prose of its command;
//! - README's row of the phases is one of docs/FINDINGS.md, its terms are linked where they are used first, and the
//!   numbers in its prose are those of the catalogue.

mod abstract_protocol;

use abstract_protocol::Abstract;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use xfetch_models::catalogue::{Engine, Invariant, Protocol, Scenario, Step};
use xfetch_models::certificate::{Question, ask};
use xfetch_models::claims::CLAIMS;
use xfetch_models::engine::{Budget, Cell, Coverage, Exploration, explore};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Words with single spaces: a line break is none of the text's.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The sources of the core, each with its path in `src/`.
fn sources() -> Vec<(String, String)> {
    sources_in("src")
}

/// The sources in a folder of the repository, each with its path in it.
fn sources_in(folder: &str) -> Vec<(String, String)> {
    let mut sources = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(inner) = folders.pop() {
        for file in fs::read_dir(&inner).expect("there is such a folder") {
            let path = file.expect("readable").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            if path.extension().is_none_or(|extension| extension != "rs") {
                continue;
            }
            let name = path.strip_prefix(root().join(folder)).expect("in the folder");
            let name = name.to_string_lossy().into_owned();
            sources.push((name, fs::read_to_string(&path).expect("text")));
        }
    }
    sources
}

#[test]
fn every_invariant_has_its_section_and_every_section_its_invariant() {
    let page = read("docs/INVARIANTS.md");
    let sections: Vec<_> = page.split("\n## ").skip(1).collect();
    assert_eq!(sections.len(), Invariant::ALL.len());
    let mut missing = Vec::new();
    for invariant in Invariant::ALL.iter().copied() {
        let of = |section: &&&str| section.lines().next() == Some(invariant.slug());
        let section = sections.iter().find(of).unwrap_or_else(|| panic!("no section {invariant}"));
        let section = flat(section);
        let sentence = flat(invariant.about());
        if !section.contains(&sentence) {
            missing.push(format!("{invariant}: {sentence}"));
        }
        let twins: Vec<_> = Protocol::ALL
            .iter()
            .flat_map(|protocol| protocol.breaks().iter().map(move |broken| (protocol, broken)))
            .filter(|(_, (_, broken))| *broken == invariant)
            .map(|(protocol, (scenario, _))| format!("{protocol} ({scenario})"))
            .collect();
        let line = format!("Twins: {}.", twins.join(", "));
        if !twins.is_empty() && !section.contains(&line) {
            missing.push(format!("{invariant}: {line}"));
        }
    }
    assert!(missing.is_empty(), "docs/INVARIANTS.md should say: {missing:#?}");
}

#[test]
fn every_marker_names_an_invariant_and_every_invariant_has_its_marker() {
    let mut marked = BTreeSet::new();
    for (file, text) in sources() {
        for rest in text.split("INVARIANT(").skip(1) {
            let slug = rest.split(')').next().unwrap_or_default();
            let known: Result<Invariant, _> = slug.parse();
            marked.insert(known.unwrap_or_else(|unknown| panic!("{file}: {unknown}")));
        }
    }
    // These two are kept by nothing in particular: they are the witness of the others, and a fault.
    let elsewhere = [Invariant::RefreshMakesProgress, Invariant::NoPanic];
    for invariant in Invariant::ALL.iter().filter(|invariant| !elsewhere.contains(invariant)) {
        assert!(marked.contains(invariant), "no line of the core is marked INVARIANT({invariant})");
    }
}

/// A twin is hidden from the steps that its entry does not name (`Twin::in_step`). So this is what is left to
/// ask: that each step asks by its own name, and has an arm for each twin whose entry names it, and for no other.
#[test]
fn every_twin_differs_in_the_steps_that_its_entry_names_and_in_no_other() {
    let text = read("models/text/twins.rs");
    let (_, implemented) = text.split_once("impl Protocol for Twin {").expect("the twin's steps");
    let mut differs: BTreeMap<String, BTreeSet<Step>> = BTreeMap::new();
    let mut steps = BTreeSet::new();
    for body in implemented.split("\n    fn ").skip(1) {
        let name = body.split(['<', '(']).next().unwrap_or_default();
        let step: Step = name.parse().expect("a step of the catalogue");
        let asked: Vec<_> = body.split("in_step(Step::").skip(1).collect();
        assert_eq!(asked.len(), 1, "{name} asks once");
        assert!(asked[0].starts_with(&format!("{step:?})")), "{name} asks as another step");
        steps.insert(step);
        let code: Vec<_> =
            asked[0].lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
        for word in code.join(" ").split(|c: char| !c.is_alphanumeric()) {
            if Protocol::ALL
                .iter()
                .any(|protocol| format!("{protocol:?}") == word && word != "DoubleRecheck")
            {
                differs.entry(word.to_owned()).or_default().insert(step);
            }
        }
    }
    assert_eq!(steps, Step::ALL.iter().copied().collect());
    let named = Protocol::ALL.iter().filter(|protocol| !protocol.steps().is_empty());
    let named: BTreeMap<String, BTreeSet<Step>> = named
        .map(|protocol| (format!("{protocol:?}"), protocol.steps().iter().copied().collect()))
        .collect();
    assert_eq!(differs, named);
    for protocol in Protocol::ALL.iter().filter(|protocol| !protocol.keeps_all()) {
        assert!(!protocol.steps().is_empty(), "{protocol} differs nowhere");
    }
}

/// The rows of a page's first table under a heading: the cells of each.
fn rows(page: &str) -> Vec<Vec<String>> {
    let lines = page.lines().skip_while(|line| !line.starts_with("|-")).skip(1);
    let of =
        |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    lines.take_while(|line| line.starts_with('|')).map(of).collect()
}

#[test]
fn the_certificate_has_a_row_for_each_promise_and_says_what_sections_sees() {
    let page = read("docs/CERTIFICATE.md");
    let questions = Question::all();
    let measured: Vec<Vec<String>> = questions
        .iter()
        .map(|question| {
            let detection =
                ask(*question, Engine::Sections, 0).expect("the search comes to its end");
            let Question { protocol, scenario, invariant } = question;
            assert!(
                invariant.is_none() || detection.is_broken(),
                "{protocol} in {scenario}: {detection}"
            );
            let violates = invariant.map_or("nothing", |invariant| invariant.slug());
            vec![protocol.to_string(), violates.into(), scenario.to_string(), detection.to_string()]
        })
        .collect();
    let written: Vec<_> = rows(&page).into_iter().map(|row| row[..4].to_vec()).collect();
    let only_in = |one: &[Vec<String>], other: &[Vec<String>]| -> Vec<String> {
        one.iter().filter(|row| !other.contains(row)).map(|row| row.join(" | ")).collect()
    };
    assert!(
        written == measured,
        "docs/CERTIFICATE.md is out of date; `cargo run --release -- certificate` writes it anew.\n\
         only there: {:#?}\nonly measured: {:#?}",
        only_in(&written, &measured),
        only_in(&measured, &written),
    );
    let of_threads = page.split("\n## Real threads").nth(1).expect("there is such a table");
    let written: Vec<_> = rows(of_threads).into_iter().map(|row| row[..3].to_vec()).collect();
    let about: Vec<_> = measured.iter().map(|row| row[..3].to_vec()).collect();
    assert_eq!(written, about);
    let lines: Vec<_> = measured.iter().map(|row| row.join(" | ")).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn every_cell_of_the_certificate_says_what_it_may() {
    for row in rows(&read("docs/CERTIFICATE.md")) {
        for cell in &row[3..] {
            let has_a_reason =
                |kind: &str| cell.strip_prefix(kind).is_some_and(|why| !why.is_empty());
            let is_known = cell == "holds"
                || ["bounded: ", "broken: ", "blind: "].iter().any(|k| has_a_reason(k));
            assert!(is_known, "{row:?}");
        }
    }
}

#[test]
fn the_findings_have_a_heading_for_each_claim() {
    let page = read("docs/FINDINGS.md");
    let headings: Vec<_> = page
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .filter(|of| of.starts_with('C'))
        .collect();
    let claims: Vec<_> = CLAIMS.iter().map(|claim| claim.id).collect();
    assert_eq!(headings, claims);
}

/// Every command of README that is whole is run by CI, but for its options of length and its placeholders.
#[test]
fn the_commands_of_the_readme_are_those_of_ci() {
    let ci = read(".ci/run").replace(" --locked", "").replace("\\\n", "");
    let readme = read("README.md");
    let in_blocks = readme.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    let commands: Vec<_> = in_blocks.flat_map(str::lines).collect();
    assert!(commands.len() >= 5, "{commands:?}");
    for command in commands {
        let runs = |line: &str| {
            let line = line.replace("CARGO_TARGET_DIR=target/loom ", "").replace("step ", "");
            let (line, command) = (flat(&line), flat(command));
            line == command || line.split(" --seconds").next() == command.split(" --seconds").next()
        };
        // These take a token, or end with 1 by design; the tests of the command run them.
        let is_tested = ["replay TOKEN", "explore"].iter().any(|of| command.contains(of));
        assert!(is_tested || ci.lines().any(runs), "CI does not run {command:?}");
    }
}

#[test]
fn only_the_facade_names_a_synchronisation_crate() {
    let names = ["parking_lot::", "std::sync", "crossbeam", "loom::", "shuttle::", "sections::"];
    let facade = |file: &str| file.starts_with("sync/");
    for (file, text) in sources().iter().filter(|(file, _)| !facade(file)) {
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            let named = names.iter().find(|name| line.contains(**name));
            assert_eq!(named, None, "{file}: {line}");
        }
    }
}

/// The layers of the core, top to bottom. A file or folder imports itself and the layers below it, and nothing
/// else of its own layer. `lib.rs` names them all.
const LAYERS: [&[&str]; 7] = [
    &["builder.rs"],
    &["cache.rs"],
    &["protocol/"],
    &["executor.rs", "observe/", "tables/"],
    &["policy/"],
    &["clock.rs", "error.rs", "ids.rs", "panics.rs"],
    &["sync/"],
];

/// The layer of a file, and its entry there.
fn place(file: &str) -> (usize, &'static str) {
    let is_in = |entry: &&str| file == *entry || (entry.ends_with('/') && file.starts_with(*entry));
    let mut layers = LAYERS.iter().enumerate();
    let found =
        layers.find_map(|(layer, entries)| Some((layer, *entries.iter().find(|it| is_in(it))?)));
    found.unwrap_or_else(|| panic!("{file} is in no layer"))
}

/// The paths of a `use` tree, or of a path inside code, that begins here.
fn paths(text: &str, before: &[String]) -> Vec<Vec<String>> {
    let mut path = before.to_vec();
    let mut rest = text.trim_start();
    loop {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        if end > 0 {
            path.push(rest[..end].to_owned());
        } else if let Some(list) = rest.strip_prefix('{') {
            let (mut depth, mut from, mut all) = (0, 0, Vec::new());
            for (at, c) in list.char_indices() {
                match c {
                    '{' => depth += 1,
                    '}' if depth > 0 => depth -= 1,
                    ',' | '}' if depth == 0 => {
                        all.extend(paths(&list[from..at], &path));
                        from = at + 1;
                        if c == '}' {
                            break;
                        }
                    }
                    _ => {}
                }
            }
            return all;
        }
        match rest[end..].strip_prefix("::") {
            Some(more) => rest = more,
            None => return vec![path],
        }
    }
}

/// For each file of the core but `lib.rs`, the files of the core that it names by a path: in a `use`, or inside
/// code. `mod` declarations are no imports.
fn imports() -> BTreeMap<String, BTreeSet<String>> {
    let sources: BTreeMap<_, _> =
        sources().into_iter().filter(|(file, _)| file != "lib.rs").collect();
    let home = |path: &[String]| {
        let files = (1..=path.len()).rev().map(|len| path[..len].join("/"));
        let mut files = files.flat_map(|file| [format!("{file}.rs"), format!("{file}/mod.rs")]);
        files.find(|file| sources.contains_key(file))
    };
    let mut imports = BTreeMap::new();
    for (file, text) in &sources {
        let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
        let code = lines.collect::<Vec<_>>().join("\n");
        // Tests inside a file see the file.
        let code = code.replace("use super::*;", "");
        assert!(!code.contains("super::"), "{file}: paths begin with crate::");
        let folder: Vec<_> = file.split('/').map(str::to_owned).collect();
        let of_root = code.split("crate::").skip(1).map(|rest| (rest, &[][..]));
        let own = code.split("self::").skip(1).map(|rest| (rest, &folder[..folder.len() - 1]));
        let named: BTreeSet<_> = of_root
            .chain(own)
            .flat_map(|(rest, before)| paths(rest, before))
            .map(|path| home(&path).unwrap_or_else(|| panic!("{file} names {path:?} of lib.rs")))
            .filter(|named| named != file)
            .collect();
        imports.insert(file.clone(), named);
    }
    imports
}

/// The files that a file imports, and those that these import, and so on.
fn reached<'a>(
    imports: &'a BTreeMap<String, BTreeSet<String>>,
    from: &'a str,
) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut next = vec![from];
    while let Some(file) = next.pop() {
        let named = imports[file].iter().map(String::as_str);
        next.extend(named.filter(|named| reached.insert(*named)));
    }
    reached
}

#[test]
fn the_layers_of_the_core_import_downwards_only() {
    let imports = imports();
    let mut upwards = Vec::new();
    for (file, named) in &imports {
        let (layer, entry) = place(file);
        for other in named {
            let (below, of) = place(other);
            if of != entry && below <= layer {
                upwards.push(format!("{file} imports {other}"));
            }
        }
    }
    assert!(upwards.is_empty(), "{upwards:#?}");

    let reached: BTreeMap<&str, _> =
        imports.keys().map(|file| (file.as_str(), reached(&imports, file))).collect();
    let circle = |file: &String| -> BTreeSet<&str> {
        let back = |other: &&str| reached[other].contains(file.as_str());
        reached[file.as_str()].iter().copied().filter(back).collect()
    };
    let circles: BTreeSet<_> =
        imports.keys().map(circle).filter(|circle| !circle.is_empty()).collect();
    let [circle] = &circles.iter().collect::<Vec<_>>()[..] else { panic!("{circles:#?}") };
    assert!(circle.len() <= 5, "{circle:#?}");
    assert!(circle.iter().all(|file| file.starts_with("protocol/")), "{circle:#?}");
}

#[test]
fn the_readme_and_the_changelog_count_what_there_is() {
    let twins = Protocol::ALL.iter().filter(|protocol| !protocol.keeps_all()).count();
    let (scenarios, invariants) = (Scenario::ALL.len(), Invariant::ALL.len());
    let all = Scenario::ALL.iter();
    let bounded = all.clone().filter(|it| it.on_loom() && it.loom_preemptions().is_some()).count();
    let complete = all.filter(|it| it.on_loom() && it.loom_preemptions().is_none()).count();
    let should_say = [
        ("README.md", format!("in {scenarios} scenarios under six engines")),
        ("README.md", format!("each of {twins} twins")),
        ("README.md", format!("at two callers in {complete} scenarios")),
        ("README.md", format!("#bounded) in {bounded};")),
        ("CHANGELOG.md", format!("{scenarios} scenarios, {twins} twins, {invariants} invariants")),
    ];
    let says = |(page, text): &&(&str, String)| flat(&read(page)).contains(text);
    let missing: Vec<_> = should_say.iter().filter(|of| !says(of)).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

/// The rows of a table under a heading, each of them its cells; the first is the header.
fn rows_under<'a>(page: &'a str, heading: &str) -> Vec<Vec<&'a str>> {
    let (_, rest) = page.split_once(&format!("\n## {heading}\n")).expect("there is the heading");
    rest.lines()
        .skip_while(|line| !line.starts_with('|'))
        .take_while(|line| line.starts_with('|'))
        .filter(|line| !line.starts_with("|-"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect()
}

/// The names of all tests of the repository.
fn tests() -> BTreeSet<String> {
    let mut tests = BTreeSet::new();
    for folder in ["src", "tests", "models", "sections"] {
        for (_, text) in sources_in(folder) {
            let after = text.split("#[test]\n").skip(1).filter_map(|rest| rest.split_once("fn "));
            let names = after.filter_map(|(_, rest)| rest.split(['(', '<']).next());
            tests.extend(names.map(str::to_owned));
        }
    }
    tests
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The decisions of the page on the architecture, without the targets of links.
fn decisions(page: &str) -> Vec<String> {
    let (_, rest) = page.split_once("\n## Decisions\n").expect("there is the heading");
    let list = rest.split("\n## ").next().unwrap_or_default();
    let heads = list.split("\n- **").skip(1).map(|item| {
        let head = item.split_once(".**").unwrap_or_else(|| panic!("no head: {item}")).0;
        let linked = head.split('[').flat_map(|part| {
            part.split_once("](").map_or([part, ""], |(label, rest)| {
                [label, rest.split_once(')').map_or("", |(_, after)| after)]
            })
        });
        flat(&linked.collect::<String>())
    });
    heads.collect()
}

/// A decision that nothing would miss is a sentence. So each has a row with what fails without it, or with the reason
/// why nothing can.
#[test]
fn every_decision_has_a_row_with_tests_scenarios_or_twins_that_exist() {
    let page = read("docs/ARCHITECTURE.md");
    let rows = rows_under(&page, "What fails without a decision");
    let (header, rows) = rows.split_first().expect("a table");
    assert_eq!(header[..], ["decision", "the core's tests", "the models"]);
    let with_rows: Vec<_> = rows.iter().map(|row| row[0]).collect();
    assert_eq!(decisions(&page), with_rows);
    let tests = tests();
    let exists = |name: &str| {
        let is_name = name.parse::<Scenario>().is_ok() || name.parse::<Protocol>().is_ok();
        is_name || tests.contains(name)
    };
    for row in rows {
        let [_, core, models] = row[..] else { panic!("{row:?}") };
        for cell in [core, models] {
            let unknown: Vec<_> = quoted(cell).filter(|name| !exists(name)).collect();
            assert!(unknown.is_empty(), "{}: there is no {unknown:?}", row[0]);
            let has_a_reason = cell.strip_prefix("none: ").is_some_and(|why| !why.is_empty());
            assert_ne!(has_a_reason, quoted(cell).next().is_some(), "{}: {cell}", row[0]);
        }
        assert!(quoted(core).chain(quoted(models)).next().is_some(), "{}: nothing fails", row[0]);
        // The scenarios after a twin are those in which its entry says that it violates something.
        let mut twin: Option<Protocol> = None;
        for name in quoted(models) {
            match (name.parse::<Scenario>(), twin) {
                (Ok(scenario), Some(twin)) => {
                    assert!(twin.breaks_in(scenario).is_some(), "{}: {twin} in {name}", row[0]);
                }
                (Ok(_), None) => {}
                (Err(_), _) => twin = name.parse().ok(),
            }
        }
    }
}

/// Times differ from run to run, counts do not.
#[test]
fn the_page_on_performance_counts_what_the_abstract_protocol_counts() {
    let page = read("docs/PERFORMANCE.md");
    let rows = rows_under(&page, "Until complete");
    assert_eq!(rows[0][..3], ["callers", "sections", "sections, every interleaving"]);
    assert_eq!(rows.len(), 5);
    for (row, callers) in rows[1..].iter().zip(2..) {
        let protocol = Abstract::of(Protocol::DoubleRecheck, callers);
        assert_eq!(row[0], callers.to_string());
        let exploration = complete(Protocol::DoubleRecheck, callers);
        assert_eq!(exploration.executions, protocol.traces());
        let counted =
            format!("{} (and {} redundant) in ", exploration.executions, exploration.redundant);
        assert!(row[1].starts_with(&counted), "{callers} callers: {} is not {counted}", row[1]);
        // More have too many paths to be counted by running them.
        if callers <= 3 {
            let counted = format!("{} in ", protocol.paths());
            assert!(row[2].starts_with(&counted), "{callers} callers: {} is not {counted}", row[2]);
        }
    }
}

/// The command needs a feature, and ten minutes: so its page is compared but for the figures.
#[test]
fn the_page_on_performance_has_the_prose_that_its_command_writes() {
    let page = flat(&read("docs/PERFORMANCE.md"));
    let mut rest = page.as_str();
    for fragment in read("models/src/cli/performance.md").split('{') {
        // Up to here it is the name of a figure.
        let fragment = flat(fragment.split_once('}').map_or(fragment, |(_, after)| after));
        let (_, after) = rest
            .split_once(fragment.as_str())
            .unwrap_or_else(|| panic!("docs/PERFORMANCE.md does not go on with {fragment:?}"));
        rest = after;
    }
}

fn complete(protocol: Protocol, callers: usize) -> Exploration {
    let cell = Cell { scenario: Scenario::Field, protocol, callers, engine: Engine::Sections };
    let time = Duration::from_secs(600);
    let budget = Budget { executions: 10_000_000, time, workers: 2, ..Budget::default() };
    let exploration = explore(cell, &budget, None).expect("sections takes so many callers");
    assert_eq!(exploration.coverage, Coverage::Complete);
    exploration
}

/// `claims.rs` compares that page with what is measured.
#[test]
fn the_row_of_the_readme_is_one_of_the_findings_page() {
    let (readme, page) = (read("README.md"), read("docs/FINDINGS.md"));
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let block = readme.split("```text\n").nth(1).and_then(|rest| rest.split("```").next());
    let shown: Vec<_> =
        block.expect("a table").lines().filter(|it| !it.starts_with("|-")).collect();
    assert!(shown.len() >= 2 && shown.iter().all(|line| line.starts_with('|')), "{shown:?}");
    let phases = page.split("\n## The phases of the report\n").nth(1).expect("the phases");
    let measured: Vec<_> =
        phases.split("\n## ").next().unwrap_or_default().lines().map(cells).collect();
    for line in shown {
        assert!(measured.contains(&cells(line)), "README shows what was not measured: {line}");
    }
}

/// The terms of the glossary, each the heading of its definition.
fn terms() -> Vec<String> {
    let page = read("docs/GLOSSARY.md");
    page.lines().filter_map(|line| line.strip_prefix("## ")).map(str::to_owned).collect()
}

/// Prose: without blocks of code, tables, headings, code in a line and the targets of links.
fn prose(page: &str) -> String {
    let mut text = String::new();
    for (number, part) in page.split("```").enumerate() {
        if number % 2 == 0 {
            let lines = part.lines().filter(|line| !line.starts_with(['|', '#']));
            text.extend(lines.flat_map(|line| [line, "\n"]));
        }
    }
    text
}

/// Of a term whose name is a common word, only that it is linked somewhere can be asked.
#[test]
fn every_term_in_the_readme_is_linked_where_it_is_used_first() {
    let common = [
        "stale", "fresh", "expired", "version", "section", "step", "rest", "holds", "plan",
        "bounded",
    ];
    let text = prose(&read("README.md"));
    let mut unlinked = Vec::new();
    for term in terms().iter().filter(|term| !common.contains(&term.as_str())) {
        let lower = text.to_lowercase();
        let at = lower.match_indices(term.as_str()).map(|(at, _)| at).find(|at| {
            let before = lower[..*at].chars().next_back();
            let after = lower[at + term.len()..].trim_start_matches('s').chars().next();
            let is_code = lower[..*at].matches('`').count() % 2 == 1;
            let is_word = |c: char| c.is_alphanumeric() || "/#-".contains(c);
            !is_code && !before.is_some_and(is_word) && !after.is_some_and(is_word)
        });
        let Some(at) = at else { continue };
        let opened = text[..at].rfind('[');
        let is_linked = opened.is_some_and(|from| {
            !text[from..at].contains(']')
                && text[at..].split_once("](").is_some_and(|(label, _)| !label.contains('['))
        });
        if !is_linked {
            unlinked.push(term.clone());
        }
    }
    assert!(unlinked.is_empty(), "used in README before they are linked: {unlinked:?}");
}

/// A link is of this repository, or it names a host.
#[test]
fn every_relative_link_resolves() {
    let pages = [
        "README.md",
        "CONTRIBUTING.md",
        "ops/README.md",
        "ops/RUNBOOK.md",
        "sections/README.md",
        "sections/docs/SOUNDNESS.md",
    ];
    let docs = fs::read_dir(root().join("docs")).expect("there are docs");
    let docs =
        docs.map(|file| format!("docs/{}", file.expect("readable").file_name().to_string_lossy()));
    let docs = docs.filter(|page| page.ends_with(".md"));
    for page in pages.iter().map(|page| (*page).to_owned()).chain(docs) {
        let folder = root().join(&page).parent().expect("a folder").to_owned();
        for rest in read(&page).split("](").skip(1) {
            let link = rest.split([')', '#']).next().unwrap_or_default();
            let is_here = link.is_empty() || link.contains("://") || folder.join(link).exists();
            assert!(is_here, "{page} links to {link}");
        }
    }
}
