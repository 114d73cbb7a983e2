//! Colours, on a terminal that wants them: not if `NO_COLOR` is set, and not into a file or a pipe.

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};

const WHAT: Style = AnsiColor::Red.on_default().bold();
const WHEN: Style = AnsiColor::Yellow.on_default().bold();
const PASSES: Style = AnsiColor::Green.on_default();

/// The text of a replay with its important lines in colour, if standard output shows colours.
pub(super) fn paint(text: &str) -> String {
    if AutoStream::choice(&std::io::stdout()) == ColorChoice::Never {
        return text.to_owned();
    }
    let paint = |(place, line): (usize, &str)| match style(place, line) {
        Some(style) => format!("{style}{line}{style:#}\n"),
        None => format!("{line}\n"),
    };
    text.lines().enumerate().map(paint).collect()
}

fn style(place: usize, line: &str) -> Option<Style> {
    let is_what = place == 0 && line.ends_with(" is violated.");
    if is_what
        || line.starts_with("violated")
        || line.contains("<- violat")
        || line.contains("<- waits for ever")
    {
        Some(WHAT)
    } else if line.starts_with("It was certain") || line.contains("<- certain") {
        Some(WHEN)
    } else if line.starts_with("The nearest schedule") || line == "nothing is violated" {
        Some(PASSES)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::{WHAT, WHEN, style};

    #[test]
    fn the_lines_with_the_violation_and_the_moment_have_a_colour_and_the_others_none() {
        assert_eq!(
            style(0, "caller 2 computes in section 9: some-invariant is violated."),
            Some(WHAT)
        );
        assert_eq!(style(7, "| 9 |  | map | <- violated  |"), Some(WHAT));
        assert_eq!(style(7, "| 7 |  | map | <- certain  |"), Some(WHEN));
        assert_eq!(style(7, "| 8 |  | map |  |"), None);
    }
}
