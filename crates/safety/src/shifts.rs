//! Where a decoded text stood in the raw one: escapes are longer than what they stand for.

use std::collections::VecDeque;

/// The places behind each escape, decoded and raw. Between escapes both count alike.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shifts {
    base: (usize, usize),
    behind: VecDeque<(usize, usize)>,
}

impl Shifts {
    /// Notes that the escape which ends at `decoded` ends at `raw`.
    pub(crate) fn note(&mut self, decoded: usize, raw: usize) {
        self.behind.push_back((decoded, raw));
    }

    /// The raw place of a decoded one.
    pub(crate) fn raw(&self, decoded: usize) -> usize {
        let count = self.behind.partition_point(|&(place, _)| place <= decoded);
        let (place, raw) =
            count.checked_sub(1).and_then(|i| self.behind.get(i)).copied().unwrap_or(self.base);
        raw + decoded.saturating_sub(place)
    }

    /// Counts on without the first `decoded` bytes of the decoded text and everything raw before `place`,
    /// a decoded place at or behind which the next questions are.
    pub(crate) fn forget(&mut self, decoded: usize, place: usize) {
        let gone = self.raw(place);
        while self.behind.front().is_some_and(|&(at, _)| at <= place) {
            self.behind.pop_front();
        }
        self.base = (place - decoded, 0);
        for (at, raw) in &mut self.behind {
            *at -= decoded;
            *raw -= gone;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_shift_behind_escapes() {
        // a\nb\u0041c: decoded a0 \n1 b2 A3 c4, raw a0 \n1-2 b3 \u0041 4-9 c10
        let mut shifts = Shifts::default();
        shifts.note(2, 3);
        shifts.note(4, 10);
        let raw =
            |shifts: &Shifts, places: &[usize]| places.iter().map(|&p| shifts.raw(p)).collect::<Vec<_>>();
        assert_eq!(raw(&shifts, &[0, 1, 2, 3, 4, 5]), [0, 1, 3, 4, 10, 11]);
        shifts.forget(1, 3);
        assert_eq!(raw(&shifts, &[2, 3, 4]), [0, 6, 7]);
    }
}
