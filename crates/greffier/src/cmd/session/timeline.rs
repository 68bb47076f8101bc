//! A session on a line of time: when each call began, how long it took, and beside which others.

use super::chain::Step;

/// Cells of the line of time.
const CELLS: i64 = 40;

/// One line a step.
pub(super) fn lines(steps: &[Step]) -> Vec<String> {
    let spans: Vec<(i64, i64)> = steps.iter().map(Step::span).collect();
    let start = spans.iter().map(|(from, _)| *from).min().unwrap_or_default();
    let end = spans.iter().map(|(_, to)| *to).max().unwrap_or_default();
    let whole = (end - start).max(1);
    let cell = |micros: i64| (micros - start).saturating_mul(CELLS) / whole;
    let width = steps.iter().map(|step| step.title().chars().count()).max().unwrap_or_default().min(48);
    let line = |(step, (from, to)): (&Step, &(i64, i64))| {
        let (first, last) = (cell(*from).min(CELLS - 1), cell(*to).min(CELLS - 1));
        let bar: String =
            (0..CELLS).map(|at| if (first..=last.max(first)).contains(&at) { '█' } else { '·' }).collect();
        let title: String = step.title().chars().take(width).collect();
        let mut told =
            vec![format!("{:>3}", step.number()), offset(*from - start), bar, format!("{title:<width$}")];
        told.extend(step.brief());
        told.join("  ").trim_end().to_owned()
    };
    steps.iter().zip(&spans).map(line).collect()
}

/// `+12.345s`, as wide as an hour needs.
fn offset(micros: i64) -> String {
    format!("{:>10}", format!("+{}.{:03}s", micros / 1_000_000, micros % 1_000_000 / 1_000))
}
