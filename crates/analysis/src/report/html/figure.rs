//! A chart on the page: SVG without scripts, with its words for who does not see it, its figures and its statement.

use std::fmt::Write as _;

use super::{escaped, visible};
use crate::report::chart::{Anchor, Chart, Shape, Tone, spoken};

/// Units of the picture across the page, and how high its letters are in them.
const WIDTH: f64 = 760.0;
const EM: f64 = 11.0;

pub(super) fn figure(page: &mut String, chart: &Chart) -> std::fmt::Result {
    let (title, told) = (escaped(&chart.title), escaped(&chart.told()));
    writeln!(
        page,
        "<figure id=\"chart-{}\">\n<figcaption><b>{title}</b><br><span class=\"soft\">{told}</span></figcaption>",
        escaped(&chart.name)
    )?;
    svg(page, chart, &format!("{title}. {told}"))?;
    if !chart.note.is_empty() {
        writeln!(page, "<p class=\"soft\">{}</p>", escaped(&chart.note))?;
    }
    table(page, chart)?;
    let (trail, sql) = (escaped(&chart.query.trail), escaped(&chart.query.sql));
    writeln!(page, "<pre>greffier sql --tenant {trail} \"{sql}\"</pre>\n</figure>")
}

fn svg(page: &mut String, chart: &Chart, words: &str) -> std::fmt::Result {
    let drawing = chart.drawing(WIDTH, EM, &|text| wide(&visible(text)));
    writeln!(
        page,
        "<svg viewBox=\"0 0 {WIDTH} {:.0}\" role=\"img\" aria-label=\"{words}\">",
        drawing.height.ceil()
    )?;
    for shape in &drawing.shapes {
        match shape {
            Shape::Rect { x, y, width, height, tone, about } => {
                let class = match tone {
                    Tone::Light => "l",
                    Tone::Middle => "m",
                    Tone::Dark => "d",
                };
                write!(
                    page,
                    "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\">"
                )?;
                if !about.is_empty() {
                    write!(page, "<title>{}</title>", escaped(about))?;
                }
                writeln!(page, "</rect>")?;
            }
            Shape::Line { x, y, width } => {
                writeln!(page, "<line x1=\"{x:.1}\" y1=\"{y:.1}\" x2=\"{:.1}\" y2=\"{y:.1}\"/>", x + width)?;
            }
            Shape::Text { x, y, anchor, text, inverse, room } => {
                let anchor = match anchor {
                    Anchor::Start => "",
                    Anchor::Middle => " text-anchor=\"middle\"",
                    Anchor::End => " text-anchor=\"end\"",
                };
                let class = if *inverse { " class=\"i\"" } else { "" };
                // What no estimate of ours foresees is cut by the picture's own edge.
                let (x, y) = match room {
                    Some(room) => {
                        write!(
                            page,
                            "<svg x=\"{x:.1}\" y=\"{:.1}\" width=\"{room:.1}\" height=\"{:.1}\" overflow=\"hidden\">",
                            y - 1.2 * EM,
                            1.75 * EM
                        )?;
                        (0.0, 1.2 * EM)
                    }
                    None => (*x, *y),
                };
                write!(page, "<text{class} x=\"{x:.1}\" y=\"{y:.1}\"{anchor}>{}</text>", escaped(text))?;
                page.push_str(if room.is_some() { "</svg>\n" } else { "\n" });
            }
        }
    }
    page.push_str("</svg>\n");
    Ok(())
}

/// The same figures as a table, folded: on paper the chart has them.
fn table(page: &mut String, chart: &Chart) -> std::fmt::Result {
    page.push_str("<details><summary>Figures</summary><table><thead><tr><th></th>");
    for name in &chart.series {
        write!(page, "<th class=\"n\">{}</th>", escaped(&spoken(name)))?;
    }
    page.push_str("</tr></thead><tbody>\n");
    for mark in &chart.marks {
        write!(page, "<tr><td>{}</td>", escaped(&mark.label))?;
        for value in &mark.values {
            write!(page, "<td class=\"n\">{}</td>", chart.unit.shown(*value))?;
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody></table></details>\n");
    Ok(())
}

/// About how wide a text is: rather too wide, because no page is asked.
fn wide(text: &str) -> f64 {
    let one = |c: char| match c {
        'i' | 'j' | 'l' | 't' | 'f' | 'I' | '.' | ',' | ':' | '|' | '\'' | ' ' => 0.33,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 0.95,
        'A'..='Z' => 0.72,
        c if c.is_ascii() => 0.58,
        c if c < '\u{1100}' => 0.75,
        _ => 1.3,
    };
    text.chars().map(one).sum::<f64>() * EM
}
