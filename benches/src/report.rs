//! Tables, parts of the page, and the page.

use crate::measure::Settings;
use crate::versions;
use std::fmt::Write as _;

const BEGINS: &str = "<!-- What `xfetch-benches` measures begins here. -->";
const ENDS: &str = "<!-- What `xfetch-benches` measures ends here. -->";

/// What a group contributes to the page.
#[derive(Debug, Default)]
pub struct Part {
    pub text: String,
    /// File names and pictures, as SVG.
    pub pictures: Vec<(&'static str, String)>,
    /// What must not be. The smoke run fails with it.
    pub faults: Vec<String>,
}

impl Part {
    pub fn new(heading: &str) -> Self {
        Self { text: format!("### {heading}\n"), ..Self::default() }
    }

    pub fn paragraph(&mut self, text: &str) {
        let _ = write!(self.text, "\n{}\n", wrapped(text));
    }

    pub fn table(&mut self, header: &[&str], rows: Vec<Vec<String>>) {
        let _ = write!(self.text, "\n{}", markdown(header, rows));
    }

    pub fn picture(&mut self, name: &'static str, alt: &str, svg: String) {
        let _ = write!(self.text, "\n![{alt}](plots/{name})\n");
        self.pictures.push((name, svg));
    }

    pub fn must(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.faults.push(otherwise());
        }
    }
}

/// The longest line of a paragraph.
const WIDTH: usize = 112;

fn wrapped(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is a line");
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.join("\n")
}

/// A Markdown table whose columns are aligned in its source.
fn markdown(header: &[&str], rows: Vec<Vec<String>>) -> String {
    let header: Vec<_> = header.iter().map(|cell| (*cell).to_owned()).collect();
    let of = |column: usize| {
        let cells = rows.iter().chain([&header]).filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<_> = (0..header.len()).map(of).collect();
    let line = |row: &[String]| {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!(" {cell:<width$} |"));
        format!("|{}\n", cells.collect::<String>())
    };
    let rule: String = widths.iter().map(|width| format!("{}|", "-".repeat(width + 2))).collect();
    let body: String = rows.iter().map(|row| line(row)).collect();
    format!("{}|{rule}\n{body}", line(&header))
}

/// The section of the page: what was measured where, then each part.
pub fn section(settings: &Settings, cores: usize, parts: &[Part], left_out: &str) -> String {
    let mut text = String::from("## Speed of the cache, beside its peers\n");
    let rounds = settings.rounds;
    let slice = settings.slice.as_millis();
    let method = format!(
        "`cargo run --release -p xfetch-benches` measures this and writes this section. It is one run on a machine \
         with {cores} cores. Each table compares contenders that took turns: every round measures each contender \
         once, for {slice} ms unless the text says otherwise, and each round begins with another contender. There \
         are {rounds} rounds. A cell shows the median, and in parentheses the first and the third quartile. \
         *Mops* are millions of operations per second of processor time, summed over the threads. A *ratio* is the \
         median of the ratios within each round. Compare the ratios: the absolute numbers depend on the machine."
    );
    let _ = write!(text, "\n{}\n\n{}", wrapped(&method), versions::table());
    for part in parts {
        let _ = write!(text, "\n{}", part.text);
    }
    let _ = write!(text, "\n### What was left out, and why\n\n{left_out}");
    text
}

pub fn versions(rows: Vec<Vec<String>>) -> String {
    let intro = wrapped("The versions of the packages, as `Cargo.lock` names them:");
    format!("{intro}\n\n{}", markdown(&["package", "version"], rows))
}

/// The page with another section, or the reason why it has no place for one.
pub fn replaced(page: &str, section: &str) -> Result<String, String> {
    let lacks = |marker: &str| format!("the page has no line `{marker}`");
    let (before, rest) = page.split_once(BEGINS).ok_or_else(|| lacks(BEGINS))?;
    let (_, after) = rest.split_once(ENDS).ok_or_else(|| lacks(ENDS))?;
    Ok(format!("{before}{BEGINS}\n\n{section}\n{ENDS}{after}"))
}

#[cfg(test)]
mod tests {
    use super::{BEGINS, ENDS, markdown, replaced, wrapped};

    #[test]
    fn columns_are_aligned() {
        let table = markdown(&["a", "long"], vec![vec!["longer".into(), "b".into()]]);
        assert_eq!(table, "| a      | long |\n|--------|------|\n| longer | b    |\n");
    }

    #[test]
    fn what_is_outside_the_markers_is_kept() {
        let page = format!("before\n{BEGINS}\nold\n{ENDS}\nafter\n");
        let new = replaced(&page, "new\n").expect("it has markers");
        assert_eq!(new, format!("before\n{BEGINS}\n\nnew\n\n{ENDS}\nafter\n"));
        assert!(replaced("no markers", "new").is_err());
    }

    #[test]
    fn long_lines_are_wrapped() {
        let text = wrapped(&"word ".repeat(100));
        assert!(text.lines().all(|line| line.len() <= super::WIDTH));
        assert_eq!(text.split_whitespace().count(), 100);
    }
}
