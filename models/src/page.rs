//! Tables, as the pages have them.

use comfy_table::{Table, presets};

/// A table of Markdown.
pub fn markdown<H: AsRef<str>>(header: &[H], rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN).set_header(header.iter().map(AsRef::as_ref));
    table.add_rows(rows);
    table.to_string()
}
