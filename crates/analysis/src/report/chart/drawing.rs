//! Where each mark of a chart stands. Lengths are those of whoever paints it, from the left and from the top; letters are
//! `em` high, and all else follows from that. Tones differ in lightness, so that they do in black and white too.

use super::{Chart, Form, Mark, spoken};

/// Lines across columns, the foot not counted.
const LINES: u64 = 4;
/// How much of the width names may take.
const NAMES: f64 = 0.34;
/// A mark that counts anything is seen.
const LEAST: f64 = 0.1;

/// How dark a mark is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Tone {
    Light,
    Middle,
    Dark,
}

/// Which end of a text stands at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Anchor {
    Start,
    Middle,
    End,
}

/// Something to paint.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Shape {
    /// `about` says what it stands for; empty in a legend.
    Rect { x: f64, y: f64, width: f64, height: f64, tone: Tone, about: String },
    /// A thin line across, `x` being its left end.
    Line { x: f64, y: f64, width: f64 },
    /// A text on one line, `y` being the line its letters stand on. `inverse` is on a dark mark; `room` is what it may
    /// take, where what it says is not ours.
    Text { x: f64, y: f64, anchor: Anchor, text: String, inverse: bool, room: Option<f64> },
}

/// A chart, laid out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Drawing {
    /// How wide.
    pub width: f64,
    /// How high.
    pub height: f64,
    /// What to paint, in order.
    pub shapes: Vec<Shape>,
}

/// A chart that is being laid out.
struct Layout<'a> {
    chart: &'a Chart,
    width: f64,
    em: f64,
    measure: &'a dyn Fn(&str) -> f64,
    shapes: Vec<Shape>,
}

pub(super) fn draw(chart: &Chart, width: f64, em: f64, measure: &dyn Fn(&str) -> f64) -> Drawing {
    let mut layout = Layout { chart, width, em, measure, shapes: Vec::new() };
    let top = layout.legend();
    let height = match chart.form {
        Form::Time => layout.columns(top),
        Form::Names => layout.bars(top),
    };
    Drawing { width, height, shapes: layout.shapes }
}

impl Layout<'_> {
    /// What the tones mean, where there are several; returns where it ends.
    fn legend(&mut self) -> f64 {
        if self.chart.series.len() < 2 {
            return 0.0;
        }
        let (em, mut x) = (self.em, 0.0);
        for (at, name) in self.chart.series.iter().enumerate() {
            if self.chart.marks.iter().any(|mark| value(mark, at) > 0) {
                let (tone, name) = (self.tone(at), spoken(name));
                self.rect(x, 0.25 * em, 0.9 * em, 0.9 * em, tone, String::new());
                let end = x + 1.3 * em + (self.measure)(&name);
                self.text(x + 1.3 * em, 1.05 * em, Anchor::Start, name);
                x = end + 1.6 * em;
            }
        }
        1.9 * em
    }

    /// Columns side by side.
    fn columns(&mut self, top: f64) -> f64 {
        let em = self.em;
        let (high, top) = (8.5 * em, top + em);
        let foot = top + high;
        let most = self.chart.marks.iter().map(Mark::sum).max().unwrap_or(0).max(1);
        let line = round_up(most.div_ceil(LINES));
        let lines = most.div_ceil(line);
        let full = (line * lines) as f64;
        let shown = |value: u64| self.chart.unit.shown(value);
        let left = (self.measure)(&shown(line * lines)) + 0.6 * em;
        for at in 0..=lines {
            let y = foot - (line * at) as f64 / full * high;
            self.shapes.push(Shape::Line { x: left, y, width: self.width - left });
            self.text(left - 0.5 * em, y + 0.35 * em, Anchor::End, shown(line * at));
        }
        let step = (self.width - left) / self.chart.marks.len() as f64;
        let wide = (step * 0.78).min(4.5 * em);
        for (at, mark) in self.chart.marks.iter().enumerate() {
            let middle = left + (at as f64 + 0.5) * step;
            let mut y = foot;
            for place in 0..self.chart.series.len() {
                let value = value(mark, place);
                if value == 0 {
                    continue;
                }
                let height = (value as f64 / full * high).max(LEAST * em);
                y -= height;
                let tone = self.tone(place);
                self.rect(middle - wide / 2.0, y, wide, height, tone, self.about(mark, place));
                self.counted(middle, y, wide, height, tone, shown(value));
            }
        }
        self.steps(left, step, foot + 1.3 * em);
        foot + 1.8 * em
    }

    /// The figure of a column: above it where it stands alone, else within, where there is room.
    fn counted(&mut self, x: f64, y: f64, wide: f64, height: f64, tone: Tone, shown: String) {
        let (em, alone) = (self.em, self.chart.series.len() == 1);
        let room = if alone { wide / 0.78 } else { wide };
        if (self.measure)(&shown) > room - 0.3 * em || (!alone && height < 1.15 * em) {
            return;
        }
        let y = if alone { y - 0.25 * em } else { y + height / 2.0 + 0.35 * em };
        let inverse = !alone && tone == Tone::Dark;
        self.shapes.push(Shape::Text { x, y, anchor: Anchor::Middle, text: shown, inverse, room: None });
    }

    /// As many names of steps as there is room for, the first of them always.
    fn steps(&mut self, left: f64, step: f64, y: f64) {
        let (width, em) = (self.width, self.em);
        let widest = self.chart.marks.iter().map(|mark| (self.measure)(&mark.label)).fold(0.0, f64::max);
        let stride = (((widest + 1.2 * em) / step).ceil() as usize).max(1);
        let mut free = 0.0;
        for (at, mark) in self.chart.marks.iter().enumerate().step_by(stride) {
            let (middle, half) = (left + (at as f64 + 0.5) * step, (self.measure)(&mark.label) / 2.0);
            // What would pass the edge is moved in, and what it then stands on is left out.
            let x = middle.min(width - half).max(half);
            if x - half >= free {
                self.text(x, y, Anchor::Middle, mark.label.clone());
                free = x + half + 0.6 * em;
            }
        }
    }

    /// Bars below each other.
    fn bars(&mut self, top: f64) -> f64 {
        let (em, marks) = (self.em, &self.chart.marks);
        let row = 1.75 * em;
        let shown = |mark: &Mark| self.chart.unit.shown(mark.sum());
        let widest = |of: &dyn Fn(&Mark) -> f64| marks.iter().map(of).fold(0.0, f64::max);
        let names = widest(&|mark| (self.measure)(&mark.label)).min(self.width * NAMES);
        let figures = widest(&|mark| (self.measure)(&shown(mark)));
        let left = names + 0.8 * em;
        let room = (self.width - left - figures - 0.8 * em).max(em);
        let most = marks.iter().map(Mark::sum).max().unwrap_or(0).max(1) as f64;
        for (at, mark) in marks.iter().enumerate() {
            let y = top + at as f64 * row;
            let text = self.cut(&mark.label, names);
            self.shapes.push(Shape::Text {
                x: 0.0,
                y: y + 1.2 * em,
                anchor: Anchor::Start,
                text,
                inverse: false,
                room: Some(names + 0.3 * em),
            });
            let mut x = left;
            for place in 0..self.chart.series.len() {
                let value = value(mark, place);
                if value > 0 {
                    let wide = (value as f64 / most * room).max(LEAST * em);
                    self.rect(x, y + 0.3 * em, wide, 1.15 * em, self.tone(place), self.about(mark, place));
                    x += wide;
                }
            }
            self.text(x + 0.4 * em, y + 1.2 * em, Anchor::Start, shown(mark));
        }
        top + marks.len() as f64 * row + 0.3 * em
    }

    /// A text that fits, as much of it as does.
    fn cut(&self, text: &str, room: f64) -> String {
        if (self.measure)(text) <= room {
            return text.to_owned();
        }
        let mut kept = String::new();
        let mut fitting = String::from("…");
        for c in text.chars() {
            kept.push(c);
            let longer = format!("{kept}…");
            if (self.measure)(&longer) > room {
                break;
            }
            fitting = longer;
        }
        fitting
    }

    fn about(&self, mark: &Mark, place: usize) -> String {
        let name = self.chart.series.get(place).map(|name| spoken(name)).unwrap_or_default();
        format!("{}: {name} {}", mark.label, self.chart.unit.shown(value(mark, place)))
    }

    fn tone(&self, place: usize) -> Tone {
        match (self.chart.series.len(), place) {
            (1, _) => Tone::Middle,
            (all, place) if place + 1 == all => Tone::Dark,
            (_, 0) => Tone::Light,
            _ => Tone::Middle,
        }
    }

    fn rect(&mut self, x: f64, y: f64, width: f64, height: f64, tone: Tone, about: String) {
        self.shapes.push(Shape::Rect { x, y, width, height, tone, about });
    }

    fn text(&mut self, x: f64, y: f64, anchor: Anchor, text: String) {
        self.shapes.push(Shape::Text { x, y, anchor, text, inverse: false, room: None });
    }
}

fn value(mark: &Mark, place: usize) -> u64 {
    mark.values.get(place).copied().unwrap_or(0)
}

/// The next of 1, 2, 5, 10, 20, 50, …
fn round_up(least: u64) -> u64 {
    let mut ten: u64 = 1;
    loop {
        for round in [1, 2, 5] {
            let round = ten.saturating_mul(round);
            if round >= least {
                return round;
            }
        }
        ten = ten.saturating_mul(10);
    }
}
