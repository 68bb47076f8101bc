//! Pages of A4 that fill from the top: lines of text that wrap, charts, and what must stay together.

use greffier_analysis::{Anchor, Drawing, Shape, Tone};
use pdf_writer::{Content, Finish, Name, Pdf, Rect, Ref, Str, TextStr};

use super::metrics::{encoded, width};

const PAGE: (f32, f32) = (595.0, 842.0);
const MARGIN: f32 = 50.0;
/// Below the last line: room for the page's number.
const FOOT: f32 = 56.0;
/// Leading as a share of the size.
const LEADING: f32 = 1.32;
/// Pages of one document: past it the rest is left out, and said so.
const MAX_PAGES: usize = 500;

/// A font that every reader has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Face {
    Plain,
    Bold,
    Mono,
}

impl Face {
    const ALL: [Face; 3] = [Face::Plain, Face::Bold, Face::Mono];

    fn name(self) -> &'static [u8] {
        match self {
            Face::Plain => b"F1",
            Face::Bold => b"F2",
            Face::Mono => b"F3",
        }
    }

    fn base(self) -> &'static [u8] {
        match self {
            Face::Plain => b"Helvetica",
            Face::Bold => b"Helvetica-Bold",
            Face::Mono => b"Courier",
        }
    }

    fn width(self, bytes: &[u8], size: f32) -> f32 {
        width(bytes, size, self == Face::Mono, self == Face::Bold)
    }
}

/// A colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    Black,
    Grey,
    Green,
    Red,
    Brown,
    White,
    /// Across a chart.
    Line,
    /// The marks of a chart.
    Light,
    Middle,
    Dark,
}

impl Ink {
    fn of(tone: Tone) -> Ink {
        match tone {
            Tone::Light => Ink::Light,
            Tone::Middle => Ink::Middle,
            Tone::Dark => Ink::Dark,
        }
    }

    fn rgb(self) -> (f32, f32, f32) {
        match self {
            Ink::Black => (0.1, 0.12, 0.14),
            Ink::Grey => (0.38, 0.41, 0.45),
            Ink::Green => (0.1, 0.5, 0.22),
            Ink::Red => (0.71, 0.14, 0.09),
            Ink::Brown => (0.54, 0.38, 0.0),
            Ink::White => (1.0, 1.0, 1.0),
            Ink::Line => (0.77, 0.8, 0.84),
            Ink::Light => (0.86, 0.9, 0.95),
            Ink::Middle => (0.43, 0.56, 0.74),
            Ink::Dark => (0.13, 0.2, 0.3),
        }
    }
}

/// A document that is being written.
pub(super) struct Sheet {
    title: String,
    /// What each page says it is of.
    of: String,
    full: Vec<Content>,
    page: Content,
    /// Where the next line begins, from the bottom.
    y: f32,
}

impl Sheet {
    /// Room between the margins.
    pub(super) const WIDTH: f32 = PAGE.0 - 2.0 * MARGIN;

    pub(super) fn new(title: &str, of: &str) -> Sheet {
        Sheet {
            title: title.to_owned(),
            of: of.to_owned(),
            full: Vec::new(),
            page: Content::new(),
            y: PAGE.1 - MARGIN,
        }
    }

    /// Text that wraps.
    pub(super) fn text(&mut self, face: Face, size: f32, ink: Ink, text: &str) {
        self.wrapped(face, size, ink, text, 0.0);
    }

    /// One of a list, indented.
    pub(super) fn item(&mut self, text: &str) {
        self.wrapped(Face::Plain, 8.0, Ink::Black, text, 10.0);
    }

    /// A heading, which never stands alone at the foot of a page.
    pub(super) fn heading(&mut self, text: &str) {
        self.space(12.0);
        self.keep(70.0);
        self.text(Face::Bold, 12.0, Ink::Black, text);
        self.space(3.0);
    }

    /// A name, and behind it in colour what is said of it.
    pub(super) fn pair(&mut self, name: &str, ink: Ink, said: &str) {
        let (size, name) = (10.0, encoded(name));
        self.line(size);
        let end = MARGIN + Face::Bold.width(&name, size) + 10.0;
        self.show(Face::Bold, size, Ink::Black, MARGIN, &name);
        self.show(Face::Bold, size, ink, end, &encoded(said));
    }

    pub(super) fn space(&mut self, points: f32) {
        self.y -= points;
    }

    /// Begins a page unless so much room is left.
    pub(super) fn keep(&mut self, points: f32) {
        if self.y - points < FOOT {
            self.turn();
        }
    }

    /// How wide a text is that is written plainly.
    pub(super) fn measured(size: f32, text: &str) -> f32 {
        Face::Plain.width(&encoded(text), size)
    }

    /// Paints a chart, its letters so high, on a page that has room for it.
    pub(super) fn draw(&mut self, drawing: &Drawing, size: f32) {
        self.keep(drawing.height as f32);
        let top = self.y;
        for shape in &drawing.shapes {
            match shape {
                Shape::Rect { x, y, width, height, tone, .. } => {
                    let place = (MARGIN + *x as f32, top - (*y + *height) as f32);
                    self.block(place, *width as f32, *height as f32, Ink::of(*tone));
                }
                Shape::Line { x, y, width } => {
                    self.block((MARGIN + *x as f32, top - *y as f32), *width as f32, 0.4, Ink::Line);
                }
                Shape::Text { x, y, anchor, text, inverse, .. } => {
                    let ink = if *inverse { Ink::White } else { Ink::Black };
                    let bytes = encoded(text);
                    let wide = Face::Plain.width(&bytes, size);
                    let before = match anchor {
                        Anchor::Start => 0.0,
                        Anchor::Middle => wide / 2.0,
                        Anchor::End => wide,
                    };
                    self.put(Face::Plain, size, ink, (MARGIN + *x as f32 - before, top - *y as f32), &bytes);
                }
            }
        }
        self.y -= drawing.height as f32;
    }

    fn block(&mut self, (x, y): (f32, f32), width: f32, height: f32, ink: Ink) {
        if self.full.len() >= MAX_PAGES {
            return;
        }
        let (r, g, b) = ink.rgb();
        self.page.set_fill_rgb(r, g, b);
        self.page.rect(x, y, width, height);
        if ink == Ink::Line {
            self.page.fill_nonzero();
            return;
        }
        let (r, g, b) = Ink::Grey.rgb();
        self.page.set_stroke_rgb(r, g, b).set_line_width(0.4).fill_nonzero_and_stroke();
    }

    fn wrapped(&mut self, face: Face, size: f32, ink: Ink, text: &str, indent: f32) {
        let room = Sheet::WIDTH - indent;
        for line in lines(&encoded(text), |bytes| face.width(bytes, size) <= room) {
            self.line(size);
            self.show(face, size, ink, MARGIN + indent, &line);
        }
    }

    /// Moves down by a line.
    fn line(&mut self, size: f32) {
        self.keep(size * LEADING);
        self.y -= size * LEADING;
    }

    fn show(&mut self, face: Face, size: f32, ink: Ink, x: f32, bytes: &[u8]) {
        self.put(face, size, ink, (x, self.y), bytes);
    }

    fn put(&mut self, face: Face, size: f32, ink: Ink, (x, y): (f32, f32), bytes: &[u8]) {
        if self.full.len() >= MAX_PAGES {
            return;
        }
        let (r, g, b) = ink.rgb();
        self.page.set_fill_rgb(r, g, b);
        self.page.begin_text().set_font(Name(face.name()), size).next_line(x, y).show(Str(bytes)).end_text();
    }

    fn turn(&mut self) {
        self.y = PAGE.1 - MARGIN;
        if self.full.len() < MAX_PAGES {
            self.full.push(std::mem::replace(&mut self.page, Content::new()));
        }
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        let cut = self.full.len() >= MAX_PAGES;
        self.turn();
        let count = self.full.len();
        let mut ids = (1..).map(Ref::new);
        let mut id = || ids.next().unwrap_or(Ref::new(1));
        let (catalog, tree, info) = (id(), id(), id());
        let fonts = Face::ALL.map(|face| (face, id()));
        let pages: Vec<(Ref, Ref)> = self.full.iter().map(|_| (id(), id())).collect();
        let mut pdf = Pdf::new();
        pdf.catalog(catalog).pages(tree).lang(TextStr("en"));
        pdf.document_info(info).title(TextStr(&self.title)).producer(TextStr("greffier"));
        pdf.pages(tree)
            .kids(pages.iter().map(|(page, _)| *page))
            .count(i32::try_from(count).unwrap_or(i32::MAX));
        for (face, font) in fonts {
            pdf.type1_font(font).base_font(Name(face.base())).encoding_predefined(Name(b"WinAnsiEncoding"));
        }
        for (number, (content, (page, stream))) in self.full.into_iter().zip(&pages).enumerate() {
            let mut written = pdf.page(*page);
            written.media_box(Rect::new(0.0, 0.0, PAGE.0, PAGE.1)).parent(tree).contents(*stream);
            let mut resources = written.resources();
            let mut named = resources.fonts();
            for (face, font) in fonts {
                named.pair(Name(face.name()), font);
            }
            named.finish();
            resources.finish();
            written.finish();
            let said = if cut { " (the rest does not fit)" } else { "" };
            let foot = encoded(&format!("{}   {} of {count}{said}", self.title, number + 1));
            let mut content = content;
            let (r, g, b) = Ink::Grey.rgb();
            content.set_fill_rgb(r, g, b);
            for (line, y) in [(foot, 32.0), (encoded(&self.of), 22.0)] {
                content
                    .begin_text()
                    .set_font(Name(Face::Plain.name()), 7.5)
                    .next_line(MARGIN, y)
                    .show(Str(&line))
                    .end_text();
            }
            pdf.stream(*stream, &content.finish());
        }
        pdf.finish()
    }
}

/// Breaks a text into lines that fit: at spaces, and where a word is longer than a line within it.
fn lines(text: &[u8], fits: impl Fn(&[u8]) -> bool) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = vec![Vec::new()];
    for word in text.split(|byte| *byte == b' ') {
        let Some(line) = lines.last_mut() else { continue };
        let mut longer = line.clone();
        if !longer.is_empty() {
            longer.push(b' ');
        }
        longer.extend(word);
        if fits(&longer) {
            *line = longer;
            continue;
        }
        if !line.is_empty() {
            lines.push(Vec::new());
        }
        for byte in word {
            let Some(line) = lines.last_mut() else { continue };
            line.push(*byte);
            if !fits(line) {
                line.pop();
                lines.push(vec![*byte]);
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_break_at_spaces_and_within_words_that_are_too_long() {
        let check = |text: &str| {
            let lines = lines(text.as_bytes(), |line| line.len() <= 6);
            lines.iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect::<Vec<_>>().join("|")
        };
        assert_eq!(check("one two three"), "one|two|three");
        assert_eq!(check("a b c d e"), "a b c|d e");
        assert_eq!(check("ab abcdefghij k"), "ab|abcdef|ghij k");
        assert_eq!(check(""), "");
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_every_line_fits(text in "[a-z ]{0,80}") {
            let lines = lines(text.as_bytes(), |line| line.len() <= 7);
            let letters = |bytes: &[u8]| bytes.iter().filter(|byte| **byte != b' ').copied().collect::<Vec<u8>>();
            prop_assert_eq!(letters(&lines.concat()), letters(text.as_bytes()));
            prop_assert!(lines.iter().all(|line| line.len() <= 7));
        }
    }
}
