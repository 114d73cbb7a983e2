//! The pages of docs/ that other commands compute, as HTML.

use maud::{Markup, PreEscaped, html};
use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd};
use std::path::Path;

/// The pages: a title, and the file.
const PAGES: [(&str, &str); 4] = [
    ("The claims of the field report", "docs/FINDINGS.md"),
    ("Which engine sees which twin", "docs/CERTIFICATE.md"),
    ("The proof for any number of callers", "docs/PROOF.md"),
    ("The invariants", "docs/INVARIANTS.md"),
];

/// The pages that are there. A build that was moved away from its sources has none.
pub(super) fn documents() -> Vec<(&'static str, Markup)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    let read = |file: &str| std::fs::read_to_string(root?.join(file)).ok();
    let all = PAGES.iter().filter_map(|(title, file)| Some((*title, converted(&read(file)?))));
    all.collect()
}

/// Markdown as HTML. Links lead out of the page, so only their text is left; headings are two levels lower; and HTML in
/// it is shown as text.
fn converted(text: &str) -> Markup {
    let events = Parser::new_ext(text, Options::ENABLE_TABLES).filter_map(|event| match event {
        Event::Start(Tag::Link { .. } | Tag::Image { .. })
        | Event::End(TagEnd::Link | TagEnd::Image) => None,
        Event::Html(text) | Event::InlineHtml(text) => Some(Event::Text(text)),
        Event::Start(Tag::Heading { level, .. }) => Some(Event::Start(Tag::Heading {
            level: lower(level),
            id: None,
            classes: Vec::new(),
            attrs: Vec::new(),
        })),
        Event::End(TagEnd::Heading(level)) => Some(Event::End(TagEnd::Heading(lower(level)))),
        Event::Start(Tag::Table(_)) => Some(Event::InlineHtml(CowStr::Borrowed(
            "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Table\"><table>",
        ))),
        Event::End(TagEnd::Table) => {
            Some(Event::InlineHtml(CowStr::Borrowed("</tbody></table></div>")))
        }
        other => Some(other),
    });
    let mut out = String::new();
    pulldown_cmark::html::push_html(&mut out, events);
    html! { (PreEscaped(out)) }
}

fn lower(level: HeadingLevel) -> HeadingLevel {
    match level {
        HeadingLevel::H1 => HeadingLevel::H3,
        HeadingLevel::H2 => HeadingLevel::H4,
        HeadingLevel::H3 => HeadingLevel::H5,
        _ => HeadingLevel::H6,
    }
}

#[cfg(test)]
mod tests {
    use super::converted;

    #[test]
    fn a_page_has_no_link_and_no_tag_of_its_own() {
        let html = converted(
            "# A\n\n[a term](GLOSSARY.md) and <script>alert(1)</script>\n\n| a |\n|---|\n| b |\n",
        );
        let html = html.into_string();
        assert!(!html.contains("<a") && !html.contains("<script>"), "{html}");
        assert!(html.contains("a term") && html.contains("&lt;script&gt;"), "{html}");
        assert_eq!(html.matches("<table>").count(), html.matches("</table>").count());
    }
}
