//! A table for people: aligned, and on a terminal as wide as it is.

use serde_json::Value;

use super::{cell, text};

/// Between two columns.
const GAP: &str = "  ";
/// Narrower than this a cut cell says nothing.
const LEAST: usize = 6;

/// One column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Column<'a> {
    /// The field's name.
    pub(crate) name: &'a str,
    /// Whether half of it is worth nothing, as half an id: it is left out before it is cut.
    pub(crate) whole: bool,
}

impl<'a> Column<'a> {
    /// A column that may be cut.
    pub(crate) const fn new(name: &'a str) -> Column<'a> {
        Column { name, whole: false }
    }

    /// A column that is shown whole or not at all.
    pub(crate) const fn whole(name: &'a str) -> Column<'a> {
        Column { name, whole: true }
    }
}

/// The table, in `room` cells if there is a bound. No rows are `[]`.
pub(super) fn table(columns: &[Column<'_>], rows: &[Value], room: Option<usize>) -> String {
    if rows.is_empty() {
        return "[]\n".to_owned();
    }
    let lines: Vec<Vec<String>> = std::iter::once(header(columns))
        .chain(
            rows.iter()
                .map(|row| columns.iter().map(|column| text::one_line(&cell(row, column.name))).collect()),
        )
        .collect();
    let widest = |at: usize| {
        lines.iter().filter_map(|line| line.get(at)).map(|text| text::width(text)).max().unwrap_or(0)
    };
    let mut widths: Vec<usize> = (0..columns.len()).map(widest).collect();
    if let Some(room) = room {
        fit(columns, &mut widths, room);
    }
    lines.iter().map(|cells| line(cells, &widths)).collect()
}

/// The names of columns, as a table's first line has them.
pub(super) fn header(columns: &[Column<'_>]) -> Vec<String> {
    columns.iter().map(|column| column.name.to_uppercase()).collect()
}

/// One line; cells beyond the widths are left out, and what is wider is cut.
pub(super) fn line(cells: &[String], widths: &[usize]) -> String {
    let cut: Vec<String> = cells.iter().zip(widths).map(|(text, &width)| text::cut(text, width)).collect();
    loose_line(&cut, widths)
}

/// One line; what is wider than its column moves the others.
pub(super) fn loose_line(cells: &[String], widths: &[usize]) -> String {
    let cells: Vec<String> =
        cells.iter().zip(widths).map(|(text, &width)| text::padded(text, width)).collect();
    format!("{}\n", cells.join(GAP).trim_end())
}

/// Leaves out columns from the last on until the rest can be shown, then takes from the widest.
pub(super) fn fit(columns: &[Column<'_>], widths: &mut Vec<usize>, room: usize) {
    let gaps = |count: usize| GAP.len() * count.saturating_sub(1);
    let least =
        |(column, width): (&Column<'_>, &usize)| if column.whole { *width } else { (*width).min(LEAST) };
    while widths.len() > 1
        && columns.iter().zip(widths.iter()).map(least).sum::<usize>() + gaps(widths.len()) > room
    {
        widths.pop();
    }
    while widths.iter().sum::<usize>() + gaps(widths.len()) > room {
        let cuttable = columns.iter().zip(widths.iter_mut()).filter(|(column, _)| !column.whole);
        let Some((_, widest)) = cuttable.max_by_key(|(_, width)| **width).filter(|(_, width)| **width > 1)
        else {
            return;
        };
        *widest -= 1;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(room: Option<usize>) -> String {
        let columns =
            [Column::whole("index"), Column::new("user"), Column::new("action"), Column::whole("id")];
        let rows = [
            json!({"index": 7, "user": "alice", "action": "crm:contacts:search", "id": "0199-aaaa"}),
            json!({"index": 12, "user": "x\u{1b}[31m\ny\u{202e}", "action": "世界世界世界世界世界世界"}),
        ];
        table(&columns, &rows, room)
    }

    #[test]
    fn aligns_and_cannot_steer_the_terminal() {
        insta::assert_snapshot!(check(None), @r#"
        INDEX  USER                   ACTION                    ID
        7      alice                  crm:contacts:search       0199-aaaa
        12     x\u{1b}[31m y\u{202e}  世界世界世界世界世界世界
        "#);
    }

    #[test]
    fn takes_from_the_widest_then_leaves_out() {
        insta::assert_snapshot!(check(Some(48)), @r#"
        INDEX  USER            ACTION          ID
        7      alice           crm:contacts:…  0199-aaaa
        12     x\u{1b}[31m y…  世界世界世界…
        "#);
        insta::assert_snapshot!(check(Some(28)), @r#"
        INDEX  USER        ACTION
        7      alice       crm:cont…
        12     x\u{1b}[3…  世界世界…
        "#);
        insta::assert_snapshot!(check(Some(3)), @r#"
        INDEX
        7
        12
        "#);
        for room in 5..80 {
            let widest = check(Some(room)).lines().map(text::width).max().unwrap();
            assert!(widest <= room, "{widest} in {room}");
        }
    }

    #[test]
    fn no_rows() {
        assert_eq!(table(&[Column::new("a")], &[], Some(10)), "[]\n");
    }
}
