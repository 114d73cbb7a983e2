//! The documents and the code agree, both ways.
//!
//! - docs/INVARIANTS.md has a section for each invariant, with its sentence and its twins;
//! - every `INVARIANT(slug)` in the core names one of them, and each of them has its marker;
//! - only `src/sync.rs` names a synchronisation crate;
//! - docs/PERFORMANCE.md counts the executions that an abstract program counts;
//! - README's table is what `sections` counts, and the numbers in its prose are those of the catalogue.

mod abstract_protocol;

use abstract_protocol::Abstract;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use xfetch_models::catalogue::{Engine, Invariant, Protocol, Scenario};
use xfetch_models::engine::{Budget, Cell, Coverage, Findings, explore};

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

/// The sources of the core, each with its name.
fn sources() -> Vec<(String, String)> {
    let files = fs::read_dir(root().join("src")).expect("the core has sources");
    let read = |file: fs::DirEntry| {
        let text = fs::read_to_string(file.path()).expect("text");
        (file.file_name().to_string_lossy().into_owned(), text)
    };
    files.map(|file| read(file.expect("readable"))).collect()
}

#[test]
fn every_invariant_has_its_section_and_every_section_its_invariant() {
    let page = read("docs/INVARIANTS.md");
    let sections: Vec<_> = page.split("\n## ").skip(1).collect();
    assert_eq!(sections.len(), Invariant::ALL.len());
    for invariant in Invariant::ALL.iter().copied() {
        let of = |section: &&&str| section.lines().next() == Some(invariant.slug());
        let section = sections.iter().find(of).unwrap_or_else(|| panic!("no section {invariant}"));
        let section = flat(section);
        let sentence = flat(invariant.about());
        assert!(section.contains(&sentence), "{invariant}: the sentence is {sentence:?}");
        let twins: Vec<_> = Protocol::ALL
            .iter()
            .flat_map(|protocol| protocol.breaks().iter().map(move |broken| (protocol, broken)))
            .filter(|(_, (_, broken))| *broken == invariant)
            .map(|(protocol, (scenario, _))| format!("{protocol} ({scenario})"))
            .collect();
        if !twins.is_empty() {
            let line = format!("Twins: {}.", twins.join(", "));
            assert!(
                section.contains(&line),
                "docs/INVARIANTS.md, {invariant}: it should say {line:?}"
            );
        }
    }
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

#[test]
fn only_the_facade_names_a_synchronisation_crate() {
    let names = ["parking_lot::", "std::sync", "crossbeam", "loom::", "shuttle::", "sections::"];
    for (file, text) in sources().iter().filter(|(file, _)| file != "sync.rs") {
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            let named = names.iter().find(|name| line.contains(**name));
            assert_eq!(named, None, "{file}: {line}");
        }
    }
}

#[test]
fn the_readme_and_the_changelog_count_what_there_is() {
    let twins = Protocol::ALL.iter().filter(|protocol| !protocol.keeps_all()).count();
    let (scenarios, invariants) = (Scenario::ALL.len(), Invariant::ALL.len());
    let readme = format!("{scenarios} scenarios under six engines, and each of {twins} twins");
    assert!(flat(&read("README.md")).contains(&readme), "README.md should say {readme:?}");
    let bounded = Scenario::ALL.iter().filter(|scenario| scenario.loom_preemptions().is_some());
    let bounded = format!("complete at two callers, but for {} scenarios", bounded.count());
    assert!(flat(&read("README.md")).contains(&bounded), "README.md should say {bounded:?}");
    let changelog = format!("{scenarios} scenarios, {twins} twins, {invariants} invariants");
    assert!(read("CHANGELOG.md").contains(&changelog), "CHANGELOG.md should say {changelog:?}");
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
        let findings = complete(Protocol::DoubleRecheck, callers);
        assert_eq!(findings.executions, protocol.traces());
        let counted = format!("{} (and {} redundant) in ", findings.executions, findings.redundant);
        assert!(row[1].starts_with(&counted), "{callers} callers: {} is not {counted}", row[1]);
        // More have too many paths to be counted by running them.
        if callers <= 3 {
            let counted = format!("{} in ", protocol.paths());
            assert!(row[2].starts_with(&counted), "{callers} callers: {} is not {counted}", row[2]);
        }
    }
}

/// The most computes, over every interleaving.
fn worst(protocol: Protocol, callers: usize) -> u32 {
    complete(protocol, callers).worst()
}

fn complete(protocol: Protocol, callers: usize) -> Findings {
    let cell = Cell { scenario: Scenario::Field, protocol, callers, engine: Engine::Sections };
    let budget = Budget { executions: 10_000_000, workers: 2, ..Budget::default() };
    let findings = explore(cell, &budget, None).expect("sections takes so many callers");
    assert_eq!(findings.coverage, Coverage::Complete);
    findings
}

#[test]
fn the_table_of_the_readme_is_what_sections_counts() {
    let readme = read("README.md");
    let rows: Vec<Vec<&str>> = readme
        .lines()
        .filter(|line| {
            line.starts_with('|') && !line.starts_with("| phase") && !line.starts_with("|-")
        })
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert!(rows.len() >= 7);
    for row in rows {
        let protocol: Protocol = row[1].parse().expect("a protocol");
        assert_eq!((row[0], row[2]), (protocol.phase(), protocol.reported()), "{protocol}");
        for callers in 2..=5 {
            assert_eq!(row[callers + 1], worst(protocol, callers).to_string(), "{protocol}");
        }
        let verdict = match protocol.breaks_in(Scenario::Field) {
            None => "holds".to_owned(),
            Some(invariant) => format!("broken: {invariant}"),
        };
        assert_eq!(row[7], verdict);
    }
}

/// A link is of this repository, or it names a host.
#[test]
fn every_relative_link_resolves() {
    let pages = ["README.md", "sections/README.md", "sections/docs/SOUNDNESS.md"];
    let docs = fs::read_dir(root().join("docs")).expect("there are docs");
    let docs =
        docs.map(|file| format!("docs/{}", file.expect("readable").file_name().to_string_lossy()));
    for page in pages.iter().map(|page| (*page).to_owned()).chain(docs) {
        let folder = root().join(&page).parent().expect("a folder").to_owned();
        for rest in read(&page).split("](").skip(1) {
            let link = rest.split([')', '#']).next().unwrap_or_default();
            let is_here = link.is_empty() || link.contains("://") || folder.join(link).exists();
            assert!(is_here, "{page} links to {link}");
        }
    }
}
