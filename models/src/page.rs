//! Tables of the pages.

use comfy_table::{Table, presets};

/// A table with its title.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grid {
    /// The title.
    pub title: String,
    /// The header.
    pub header: Vec<String>,
    /// The rows.
    pub rows: Vec<Vec<String>>,
}

impl Grid {
    /// A table.
    pub fn new<H: AsRef<str>>(title: &str, header: &[H], rows: Vec<Vec<String>>) -> Self {
        let header = header.iter().map(|it| it.as_ref().to_owned()).collect();
        Self { title: title.to_owned(), header, rows }
    }

    /// The table in Markdown, without its title.
    pub fn markdown(&self) -> String {
        markdown(&self.header, self.rows.clone())
    }
}

/// A Markdown table.
pub fn markdown<H: AsRef<str>>(header: &[H], rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN).set_header(header.iter().map(AsRef::as_ref));
    table.add_rows(rows);
    table.to_string()
}
