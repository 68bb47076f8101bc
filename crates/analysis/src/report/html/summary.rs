//! The first document's report as a page.

use std::fmt::Write as _;

use super::{escaped, figure, named, short};
use crate::report::summarised::{Figure, Summary};

/// The page.
pub fn summary_html(summary: &Summary) -> String {
    let mut page = String::new();
    // Writing to a String cannot fail.
    let _ = write_page(&mut page, summary);
    page
}

fn write_page(page: &mut String, summary: &Summary) -> std::fmt::Result {
    let period = &summary.report.period;
    let of = format!("{}: {} to {}, made {}", summary.trail, period.start, period.end, summary.made);
    super::head(page, &format!("summary: {}", summary.trail), &of)?;
    writeln!(
        page,
        "<h1>Compliance report</h1>\n<p class=\"soft\">What the trail of <b>{}</b> counts of {} up to before {} ({}).</p>\n\
         <dl>\n<dt>Made</dt><dd>{}</dd>",
        escaped(&summary.trail),
        period.start,
        period.end,
        escaped(&named(&summary.zone)),
        summary.made
    )?;
    let figures = summary.figures();
    for Figure { figure, count, .. } in figures.iter().filter(|figure| figure.of.is_empty()) {
        writeln!(page, "<dt>{}</dt><dd>{count}</dd>", Summary::title(figure))?;
    }
    page.push_str("</dl>\n");
    summary.charts.iter().try_for_each(|chart| figure::figure(page, chart))?;
    let mut before = "";
    for Figure { figure, of, count } in figures.iter().filter(|figure| !figure.of.is_empty()) {
        if *figure != before {
            if !before.is_empty() {
                page.push_str("</tbody></table>\n");
            }
            writeln!(page, "<h2>{}</h2>\n<table><tbody>", Summary::title(figure))?;
            before = figure;
        }
        writeln!(page, "<tr><td>{}</td><td class=\"n\">{count}</td></tr>", escaped(&short(of)))?;
    }
    if !before.is_empty() {
        page.push_str("</tbody></table>\n");
    }
    for remark in summary.remarks() {
        writeln!(page, "<p class=\"soft\">{remark}</p>")?;
    }
    page.push_str("</body>\n</html>\n");
    Ok(())
}
