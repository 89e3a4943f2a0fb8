//! Tables and lists of facts on a terminal.

use anstyle::{AnsiColor, Style};
use console::{measure_text_width, truncate_str};

/// Space between two columns.
const GAP: usize = 2;

/// Width to which a column is shortened before the last of them is left out.
const SHORT: usize = 10;

/// A heading.
const HEADING: Style = Style::new().bold();

/// Secondary information.
pub(super) const DIM: Style = Style::new().dimmed();

/// A column: its title, and how it gives way.
pub(super) enum Column {
    /// Shown whole: ids, states, times.
    Whole(&'static str),
    /// The same, of numbers: aligned to the right.
    Number(&'static str),
    /// Shortened, and left out if there is still too little room.
    Short(&'static str),
}

impl Column {
    const fn title(&self) -> &'static str {
        match self {
            Self::Whole(title) | Self::Number(title) | Self::Short(title) => title,
        }
    }
}

/// A cell: its text and style.
pub(super) struct Cell(String, Style);

impl Cell {
    /// Colors a state by what it means; its word says the same.
    pub(super) fn state(word: impl Into<String>) -> Self {
        let word = word.into();
        let style = match word.split(' ').next().unwrap_or_default() {
            "delivered" | "active" | "succeeded" => AnsiColor::Green.on_default(),
            "failed" | "rejected" | "unreachable" | "plugin_failed" => AnsiColor::Red.on_default(),
            "retrying" | "held" | "paused" | "verifying" => AnsiColor::Yellow.on_default(),
            _ => Style::new(),
        };
        Self(word, style)
    }

    /// The text with its style.
    pub(super) fn styled(&self) -> String {
        let Self(text, style) = self;
        format!("{style}{text}{style:#}")
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self(text, Style::new())
    }
}

/// Renders the rows below their titles, in as many columns of text as there are.
pub(super) fn render(columns: &[Column], rows: &[Vec<Cell>], width: Option<usize>) -> String {
    let widths = widths(columns, rows, width.unwrap_or(usize::MAX));
    let titles: Vec<_> = columns.iter().map(|column| Cell(column.title().to_owned(), HEADING)).collect();
    let mut text = String::new();
    for row in std::iter::once(&titles).chain(rows) {
        let shown: Vec<_> = columns.iter().zip(row).zip(&widths).filter(|(_, width)| **width > 0).collect();
        for (index, ((column, Cell(cell, style)), width)) in shown.iter().enumerate() {
            let cell = truncate_str(cell, **width, "…");
            let padding = " ".repeat(width.saturating_sub(measure_text_width(&cell)));
            match column {
                Column::Number(_) => text += &format!("{padding}{style}{cell}{style:#}"),
                // No spaces at the end of a line.
                _ if index + 1 == shown.len() => text += &format!("{style}{cell}{style:#}"),
                _ => text += &format!("{style}{cell}{style:#}{padding}"),
            }
            if index + 1 < shown.len() {
                text += &" ".repeat(GAP);
            }
        }
        text.push('\n');
    }
    text
}

/// The width of each column; 0 for one that is left out.
fn widths(columns: &[Column], rows: &[Vec<Cell>], most: usize) -> Vec<usize> {
    let widest = |(index, column): (usize, &Column)| {
        let cells = rows.iter().map(|row| measure_text_width(&row[index].0));
        cells.max().unwrap_or_default().max(measure_text_width(column.title()))
    };
    let mut wanted: Vec<_> = columns.iter().enumerate().map(widest).collect();
    let mut short: Vec<_> = (0..columns.len()).filter(|index| matches!(columns[*index], Column::Short(_))).collect();
    loop {
        let widths = shortened(wanted.clone(), &short, most);
        if total(&widths) <= most {
            return widths;
        }
        // The others have the room of the one that is left out.
        let Some(last) = short.pop() else { return widths };
        wanted[last] = 0;
    }
}

/// Shortens the widest of the short columns until the row fits, or all are as short as they may be.
fn shortened(mut widths: Vec<usize>, short: &[usize], most: usize) -> Vec<usize> {
    while total(&widths) > most {
        let longest = short.iter().copied().filter(|index| widths[*index] > SHORT).max_by_key(|index| widths[*index]);
        let Some(longest) = longest else { break };
        widths[longest] -= 1;
    }
    widths
}

fn total(widths: &[usize]) -> usize {
    let shown = widths.iter().filter(|width| **width > 0);
    shown.map(|width| width + GAP).sum::<usize>().saturating_sub(GAP)
}

/// Renders facts, one a line, their names aligned; those without a value are left out.
pub(super) fn facts(facts: &[(&str, String)]) -> String {
    let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let given = facts.iter().filter(|(_, value)| !value.is_empty());
    given.map(|(name, value)| format!("{DIM}{name:<width$}{DIM:#}  {value}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(width: Option<usize>) -> Vec<String> {
        let columns = [Column::Whole("ID"), Column::Number("N"), Column::Short("NAME"), Column::Short("REASON")];
        let row = |cells: [&str; 4]| cells.map(|cell| Cell::from(cell.to_owned())).into();
        let long = "a reason that takes more than a line has room for";
        let rows = [row(["id_1", "1", "Ärzte in 日本", long]), row(["id_2", "12", "b", ""])];
        let text = render(&columns, &rows, width);
        anstream::adapter::strip_str(&text).to_string().lines().map(str::to_owned).collect()
    }

    #[test]
    fn columns_are_aligned_by_what_they_take_on_a_terminal() {
        let lines = lines(None);
        assert_eq!(lines[0], "ID     N  NAME           REASON");
        assert_eq!(lines[1], "id_1   1  Ärzte in 日本  a reason that takes more than a line has room for");
        assert_eq!(lines[2], "id_2  12  b              ");
    }

    #[test]
    fn what_is_too_wide_is_shortened_and_then_left_out() {
        for width in [60, 40, 34, 24, 20] {
            let lines = lines(Some(width));
            assert!(lines.iter().all(|line| measure_text_width(line) <= width), "{width}: {lines:#?}");
            assert!(lines[1].starts_with("id_1   1"), "{lines:#?}");
        }
        assert!(lines(Some(60))[1].ends_with('…'));
        assert_eq!(lines(Some(24))[0], "ID     N  NAME");
    }
}
