//! Bursts: many actions in a short time.

/// Where bursts lie in sorted times, as `(first, end)` positions, `end` exclusive. A burst is a run of windows of
/// `least` actions, each from its first to its last action shorter than `window`, where the next window begins
/// before the last one ends.
pub(crate) fn bursts(times: &[i64], least: usize, window: i64) -> Vec<(usize, usize)> {
    let mut bursts: Vec<(usize, usize)> = Vec::new();
    if least == 0 {
        return bursts;
    }
    for (first, actions) in times.windows(least).enumerate() {
        let (Some(from), Some(to)) = (actions.first(), actions.last()) else { continue };
        if to.saturating_sub(*from) >= window {
            continue;
        }
        match bursts.last_mut() {
            Some((_, end)) if first < *end => *end = first + least,
            _ => bursts.push((first, first + least)),
        }
    }
    bursts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(times: &[i64]) -> String {
        let bursts = bursts(times, 3, 10);
        bursts.iter().map(|(first, end)| format!("{first}..{end}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn runs_of_windows() {
        insta::assert_snapshot!(check(&[]), @"");
        insta::assert_snapshot!(check(&[0, 1]), @"");
        insta::assert_snapshot!(check(&[0, 0, 0]), @"0..3");
        insta::assert_snapshot!(check(&[0, 5, 9]), @"0..3");
        insta::assert_snapshot!(check(&[0, 5, 10]), @"");
        // Each window touches the next: one burst, longer than a window.
        insta::assert_snapshot!(check(&[0, 4, 8, 12, 16, 20]), @"0..6");
        // The second begins where the first has ended: two.
        insta::assert_snapshot!(check(&[0, 0, 0, 10, 10, 10]), @"0..3 3..6");
        insta::assert_snapshot!(check(&[0, 100, 101, 102]), @"1..4");
    }

    /// Straight from the definition: which actions lie in a full window, and which of them share one.
    fn naive(times: &[i64], least: usize, window: i64) -> Vec<(usize, usize)> {
        let full = |first: usize| {
            let end = first + least;
            let within = |at: &usize| times.get(*at).is_some_and(|time| time - times[first] < window);
            (end <= times.len() && (first..end).all(|at| within(&at))).then_some((first, end))
        };
        let mut bursts: Vec<(usize, usize)> = (0..times.len()).filter_map(full).collect();
        // Any two that share an action become one, until none do.
        loop {
            let shares = |a: &(usize, usize), b: &(usize, usize)| a.0 < b.1 && b.0 < a.1;
            let pair = (0..bursts.len())
                .flat_map(|a| (a + 1..bursts.len()).map(move |b| (a, b)))
                .find(|(a, b)| shares(&bursts[*a], &bursts[*b]));
            let Some((a, b)) = pair else { return bursts };
            let other = bursts.remove(b);
            bursts[a] = (bursts[a].0.min(other.0), bursts[a].1.max(other.1));
        }
    }

    proptest! {
        #[test]
        fn as_by_definition(mut times in proptest::collection::vec(0..60_i64, 0..40), least in 1..6_usize, window in 0..12_i64) {
            times.sort_unstable();
            prop_assert_eq!(bursts(&times, least, window), naive(&times, least, window));
        }
    }
}
