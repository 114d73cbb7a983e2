//! Tables of the pages.

use comfy_table::{Table, presets};

/// A Markdown table.
pub fn markdown<H: AsRef<str>>(header: &[H], rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_preset(presets::ASCII_MARKDOWN).set_header(header.iter().map(AsRef::as_ref));
    table.add_rows(rows);
    table.to_string()
}
