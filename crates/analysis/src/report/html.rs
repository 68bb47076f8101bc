//! A report as one page, for people: to be read on a screen, printed and kept. No scripts, nothing is fetched, and
//! whatever agents wrote is text.

mod figure;
mod summary;

use std::fmt::Write as _;

use serde_json::Value;

pub use summary::summary_html;

use super::assessment::{Assessment, Claim, ClauseFound, Query, Sample, Verdict, named};

/// Longest text of a cell: the whole of it stands in the report's data.
const MAX_CELL: usize = 300;

const STYLE: &str = "\
:root{--ink:#1b1f24;--soft:#57606a;--line:#d0d7de;--ok:#1a7f37;--gap:#b42318;--open:#8a6100;--wash:#f6f8fa}\
*{box-sizing:border-box}body{font:14px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'Liberation Sans',sans-serif;color:var(--ink);margin:2rem auto;\
max-width:62rem;padding:0 1.2rem}h1{font-size:1.6rem;margin:0 0 .2rem}h2{font-size:1.2rem;margin:2.2rem 0 .6rem;\
border-bottom:1px solid var(--line);padding-bottom:.3rem}h3{font-size:1rem;margin:1.6rem 0 .3rem}p{margin:.3rem 0}\
table{border-collapse:collapse;width:100%;margin:.5rem 0;font-size:13px}th,td{text-align:left;vertical-align:top;\
padding:.3rem .6rem .3rem 0;border-bottom:1px solid var(--line);overflow-wrap:anywhere}th{font-weight:600;color:var(--soft)}\
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}td a,td code,td.t{white-space:nowrap}code,pre{font:12px/1.45 ui-monospace,'Liberation Mono',monospace}\
pre{white-space:pre-wrap;overflow-wrap:anywhere;background:var(--wash);border:1px solid var(--line);border-radius:4px;\
padding:.5rem .7rem;margin:.3rem 0}.v{display:inline-block;font-weight:600;font-size:12px;white-space:nowrap}\
.EVIDENCED{color:var(--ok)}.GAP{color:var(--gap)}.NOT{color:var(--open)}.soft{color:var(--soft)}.on{font-weight:400;font-size:12px}\
.sum{display:flex;gap:2.5rem;margin:1rem 0}.sum b{display:block;font-size:1.9rem;line-height:1.1}a{color:inherit}\
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;margin:.6rem 0}dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}\
.claim{margin-top:1.8rem}figure{margin:1rem 0;break-inside:avoid}figcaption{margin-bottom:.3rem}figure svg{display:block;width:100%;height:auto}\
svg text{font:11px system-ui,-apple-system,'Segoe UI',Roboto,'Liberation Sans',sans-serif;fill:#3d444d}svg text.i{fill:#fff}svg line{stroke:#c4ccd5;stroke-width:.6}\
svg rect{stroke:#3d444d;stroke-width:.5}.l{fill:#dbe6f3}.m{fill:#6d8fbd}.d{fill:#22344d}summary{cursor:pointer;color:var(--soft);font-size:13px}\
@media print{summary{display:none}body{margin:0;padding:0;max-width:none;font-size:10px}h1{font-size:18px}h2{font-size:14px}h3{font-size:11px}\
h2,h3{break-after:avoid}tr,pre{break-inside:avoid}p{orphans:3;widows:3}a{text-decoration:none}table{font-size:9px}th,td{padding:.15rem .4rem .15rem 0}\
.sum b{font-size:22px}.v{font-size:9px}figcaption{break-after:avoid}pre,td code{font-size:7.5px}p code{font-size:9px}pre{border:0;background:none;padding:0;color:#3d444d}\
@page{size:A4;margin:16mm 14mm}}";

/// The page.
pub fn html(report: &Assessment) -> String {
    let mut page = String::new();
    // Writing to a String cannot fail.
    let _ = write_page(&mut page, report);
    page
}

fn write_page(page: &mut String, report: &Assessment) -> std::fmt::Result {
    let title = format!("{}: {}", report.standard, report.trail.name);
    let head = &report.trail.head;
    let of = format!(
        "{}: {} to {}, {} entries, root {}",
        report.trail.name, report.from, report.to, head.size, head.root
    );
    self::head(page, &title, &of)?;
    writeln!(page, "<h1>{}</h1>", escaped(&report.title))?;
    writeln!(
        page,
        "<p class=\"soft\">What the trail of <b>{}</b> shows of {} up to before {} ({}).{}</p>",
        escaped(&report.trail.name),
        report.from,
        report.to,
        escaped(&named(&report.zone)),
        if report.ended {
            ""
        } else {
            " <b>The period has not ended: nothing is said of the rest of it.</b>"
        }
    )?;
    if let Some(person) = &report.person {
        writeln!(
            page,
            "<p>Asked about one person: <b>{}</b>. Contents are not in here: <code>greffier subject</code> gives them to whoever \
             may see them.</p>",
            escaped(&person.name())
        )?;
    }
    let counts = &report.counts;
    writeln!(
        page,
        "<div class=\"sum\"><div class=\"EVIDENCED\"><b>{}</b>EVIDENCED</div><div class=\"GAP\"><b>{}</b>GAP</div>\
         <div class=\"NOT\"><b>{}</b>NOT ASSESSED</div></div>",
        counts.evidenced, counts.gap, counts.not_assessed
    )?;
    facts(page, report)?;
    if !report.charts.is_empty() {
        page.push_str("<h2>The period at a glance</h2>\n");
        report.charts.iter().try_for_each(|chart| figure::figure(page, chart))?;
    }
    page.push_str("<h2>Clause by clause</h2>\n<table><thead><tr><th>Clause</th><th>Asks</th><th>Found</th><th>By</th></tr></thead><tbody>\n");
    for clause in &report.clauses {
        row(page, clause)?;
    }
    page.push_str("</tbody></table>\n<h2>What the controls found</h2>\n");
    for claim in &report.claims {
        claimed(page, report, claim)?;
    }
    page.push_str(
        "<h2>How to read this</h2>\n<p>EVIDENCED: the trail shows it for the period, by the figures and statements given. GAP: the \
         trail shows where it is missing. NOT ASSESSED: the trail does not say. None of these says that anybody complies with \
         anything: that is for people to judge, who know what the trail does not.</p>\n<p>Every figure is the answer to the \
         statement beside it. Run it again with <code>greffier sql</code>: it asks only the entries that the checkpoint above \
         covers, so that the answer stays the same. Samples are drawn in an order that the checkpoint's root decides: nobody could \
         know it while the events were recorded. <code>greffier prove ID</code> proves a sample, and <code>greffier evidence \
         --report</code> packs all of them.</p>\n</body>\n</html>\n",
    );
    Ok(())
}

/// What a page begins with: nothing is fetched, nothing runs. Each sheet of paper says what it is `of`.
fn head(page: &mut String, title: &str, of: &str) -> std::fmt::Result {
    // A stylesheet knows no entities: what could end its text is left out.
    let safe = |c: &char| c.is_ascii_alphanumeric() || " .,:+/=_-".contains(*c);
    let of: String = of.chars().filter(safe).collect();
    writeln!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{}</title>\n<style>{STYLE}\n@page{{@bottom-left{{content:\"{of}\";font:7px sans-serif}}\
         @bottom-right{{content:counter(page) \" of \" counter(pages);font:7px sans-serif}}}}</style>\n</head>\n<body>",
        escaped(title)
    )
}

fn facts(page: &mut String, report: &Assessment) -> std::fmt::Result {
    let totals = &report.totals;
    let span = match (totals.first_index, totals.last_index) {
        (Some(first), Some(last)) => format!("entries {first} to {last}"),
        _ => "no entries".to_owned(),
    };
    page.push_str("<dl>\n");
    let mut line = |name: &str, value: String| writeln!(page, "<dt>{name}</dt><dd>{}</dd>", escaped(&value));
    line("Made", report.made.to_string())?;
    line(
        "Events of the period",
        format!(
            "{} ({span}): {} governed, {} claims of others",
            totals.events, totals.governed, totals.claims
        ),
    )?;
    line("Recorded late", format!("{} over an hour after the time they claim", totals.late))?;
    let head = &report.trail.head;
    line("Checkpoint", format!("{}, {} entries, root {}", head.origin, head.size, head.root))?;
    match &report.node {
        Some(node) => line("Node's trail", format!("{} entries, root {}", node.head.size, node.head.root))?,
        None => line("Node's trail", "was not read".to_owned())?,
    }
    line("Witnesses", report.anchoring.clone())?;
    page.push_str("</dl>\n");
    Ok(())
}

fn row(page: &mut String, clause: &ClauseFound) -> std::fmt::Result {
    let links: Vec<String> =
        clause.controls.iter().map(|name| format!("<a href=\"#{0}\">{0}</a>", escaped(name))).collect();
    let beyond = match clause.beyond.as_str() {
        "" => String::new(),
        beyond => format!("<br><span class=\"soft\">Not shown here: {}.</span>", prose(beyond)),
    };
    writeln!(
        page,
        "<tr><td><b>{}</b></td><td>{}{beyond}</td><td>{}</td><td>{}</td></tr>",
        escaped(&clause.clause),
        escaped(&clause.asks),
        mark(clause.verdict),
        links.join("<br>")
    )
}

fn mark(verdict: Verdict) -> String {
    let class = verdict.as_str().split(' ').next().unwrap_or_default();
    format!("<span class=\"v {class}\">{}</span>", verdict.as_str())
}

fn claimed(page: &mut String, report: &Assessment, claim: &Claim) -> std::fmt::Result {
    write!(
        page,
        "<section class=\"claim\" id=\"{0}\">\n<h3>{0} {1} <span class=\"soft on\">on {2}</span></h3>\n<p>{3}</p>\n\
         <p class=\"soft\">{4}</p>\n",
        escaped(&claim.control),
        mark(claim.verdict),
        escaped(&report.clauses_of(&claim.control).join("; ")),
        prose(&claim.says),
        prose(&claim.a_gap_if())
    )?;
    if !claim.figures.is_empty() {
        let figure = |(name, value): (&String, &Value)| format!("{} <b>{}</b>", escaped(name), cell(value));
        writeln!(page, "<p>{}</p>", claim.figures.iter().map(figure).collect::<Vec<_>>().join(" · "))?;
    }
    if let Some(chart) = &claim.chart {
        figure::figure(page, chart)?;
    }
    if let Some(first) = claim.table.first() {
        page.push_str("<table><thead><tr>");
        for (name, value) in first {
            let class = if value.is_number() { " class=\"n\"" } else { "" };
            write!(page, "<th{class}>{}</th>", escaped(name))?;
        }
        page.push_str("</tr></thead><tbody>\n");
        for row in &claim.table {
            page.push_str("<tr>");
            for value in row.values() {
                let class = if value.is_number() { " class=\"n\"" } else { "" };
                write!(page, "<td{class}>{}</td>", cell(value))?;
            }
            page.push_str("</tr>\n");
        }
        page.push_str("</tbody></table>\n");
    }
    let of = claim.population.map(|population| format!(" of {population}")).unwrap_or_default();
    samples(page, "Exceptions, the first of them", &claim.exceptions)?;
    samples(page, &format!("Samples{of}"), &claim.samples)?;
    for Query { trail, sql } in &claim.queries {
        writeln!(page, "<pre>greffier sql --tenant {} \"{}\"</pre>", escaped(trail), escaped(sql))?;
    }
    page.push_str("</section>\n");
    Ok(())
}

fn samples(page: &mut String, title: &str, samples: &[Sample]) -> std::fmt::Result {
    if samples.is_empty() {
        return Ok(());
    }
    writeln!(
        page,
        "<table><thead><tr><th>{}</th><th>time</th><th>event</th></tr></thead><tbody>",
        escaped(title)
    )?;
    for sample in samples {
        let fields: Vec<String> = sample
            .fields
            .iter()
            .map(|(name, value)| {
                format!("<span class=\"soft\">{}</span> {}", escaped(name), escaped(&short(value)))
            })
            .collect();
        writeln!(
            page,
            "<tr><td>entry {}<br><code>{}</code></td><td class=\"t\">{}</td><td>{}</td></tr>",
            sample.index,
            escaped(&sample.id),
            escaped(&sample.time),
            fields.join(", ")
        )?;
    }
    page.push_str("</tbody></table>\n");
    Ok(())
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => escaped(&short(text)),
        other => escaped(&other.to_string()),
    }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(MAX_CELL) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// A sentence of ours, in which commands stand between backticks.
fn prose(text: &str) -> String {
    let safe = escaped(text);
    let pieces: Vec<&str> = safe.split('`').collect();
    if pieces.len().is_multiple_of(2) {
        return safe;
    }
    let piece = |(at, piece): (usize, &&str)| match at % 2 {
        0 => (*piece).to_owned(),
        _ => format!("<code>{piece}</code>"),
    };
    pieces.iter().enumerate().map(piece).collect()
}

/// Text as text, wherever it stands in a page.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in visible(text).chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

/// A text in which what would steer the reader's direction of writing, or is no character at all, is shown by its number.
fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        let steers = matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
        if steers || c.is_control() {
            let _ = write!(shown, "\\u{{{:x}}}", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_agents_wrote_is_text() {
        assert_eq!(
            escaped("<script>\"'&\u{1b}[31m\u{202e}"),
            "&lt;script&gt;&quot;&#39;&amp;\\u{1b}[31m\\u{202e}"
        );
    }

    #[test]
    fn commands_in_sentences() {
        assert_eq!(prose("run `greffier verify <DIR>`."), "run <code>greffier verify &lt;DIR&gt;</code>.");
        assert_eq!(prose("a ` alone"), "a ` alone");
    }

    #[test]
    fn what_a_sheet_is_of_stays_a_text_of_its_stylesheet() {
        let mut page = String::new();
        head(&mut page, "t", "acme\\\";}</style><script>: 2026-03-01T00:00:00Z, root a+/=").unwrap();
        assert!(page.contains("content:\"acme/stylescript: 2026-03-01T00:00:00Z, root a+/=\""), "{page}");
    }

    proptest! {
        #[test]
        fn no_text_opens_a_tag_or_leaves_an_attribute(text: String) {
            let safe = escaped(&text);
            prop_assert!(!safe.contains(['<', '>', '"', '\'']));
            prop_assert!(!safe.chars().any(char::is_control));
        }
    }
}
