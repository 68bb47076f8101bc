//! Rows to groups. The values of each key are numbered once, and a group is a few of those numbers: within a piece it is
//! found in a table, if that is small enough, and texts are hashed once for each piece, not for each row.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, Int64Array, StringArray};
use datafusion::arrow::datatypes::Int64Type;
use datafusion::common::HashMap;

use crate::source::GaveUp;

/// Keys of a group: each number has sixteen bits then.
pub(super) const MAX_KEYS: usize = 4;
/// Bits of all numbers of a group.
const GROUP_BITS: usize = 64;
/// Groups of one tally: some 20 MiB. A statement with more is left to the engine.
const MAX_GROUPS: usize = 1 << 19;
/// Groups times what is counted of each: 24 bytes at most.
const MAX_COUNTED: usize = 1 << 21;
/// Bytes of the different texts of a tally.
const MAX_TEXT_BYTES: usize = 32 << 20;
/// Entries of a piece's table, of four bytes.
const MAX_TABLE: usize = 1 << 20;

/// The values of one key in a piece: to each row a code, to each code a number.
pub(super) struct Codes {
    pub(super) of_rows: Vec<u32>,
    pub(super) numbers: Vec<u32>,
}

/// The values of one key so far. Number 0 is null.
pub(super) enum Known {
    Texts { numbers: HashMap<Arc<str>, u32>, texts: Vec<Option<Arc<str>>>, bytes: usize },
    Numbers { numbers: HashMap<i64, u32>, values: Vec<Option<i64>> },
}

impl Known {
    pub(super) fn texts() -> Known {
        Known::Texts { numbers: HashMap::new(), texts: vec![None], bytes: 0 }
    }

    pub(super) fn numbers() -> Known {
        Known::Numbers { numbers: HashMap::new(), values: vec![None] }
    }

    /// The number of a text.
    fn text(&mut self, text: Option<&str>) -> Result<u32, GaveUp> {
        let (Some(text), Known::Texts { numbers, texts, bytes }) = (text, self) else { return Ok(0) };
        if let Some(number) = numbers.get(text) {
            return Ok(*number);
        }
        let (number, text) = (next(texts.len())?, Arc::<str>::from(text));
        *bytes += text.len();
        if *bytes > MAX_TEXT_BYTES {
            return Err(GaveUp);
        }
        texts.push(Some(Arc::clone(&text)));
        numbers.insert(text, number);
        Ok(number)
    }

    /// The number of a number.
    fn number(&mut self, value: Option<i64>) -> Result<u32, GaveUp> {
        let (Some(value), Known::Numbers { numbers, values }) = (value, self) else { return Ok(0) };
        if let Some(number) = numbers.get(&value) {
            return Ok(*number);
        }
        let number = next(values.len())?;
        values.push(Some(value));
        numbers.insert(value, number);
        Ok(number)
    }

    fn len(&self) -> usize {
        match self {
            Known::Texts { texts, .. } => texts.len(),
            Known::Numbers { values, .. } => values.len(),
        }
    }

    /// The numbers of values.
    pub(super) fn number_all(&mut self, values: &ArrayRef) -> Result<Vec<u32>, GaveUp> {
        if let Some(texts) = values.as_string_opt::<i32>() {
            return texts.iter().map(|text| self.text(text)).collect();
        }
        let numbers = values.as_primitive_opt::<Int64Type>().ok_or(GaveUp)?;
        numbers.iter().map(|number| self.number(number)).collect()
    }

    /// What rows have of a key, where each row has its own number.
    pub(super) fn rows(&mut self, values: &ArrayRef) -> Result<Codes, GaveUp> {
        let values = values.as_primitive_opt::<Int64Type>().ok_or(GaveUp)?;
        let mut last = (None, 0);
        let mut of_rows = Vec::with_capacity(values.len());
        for value in values {
            // Neighbours mostly have the same.
            if value != last.0 {
                last = (value, self.number(value)?);
            }
            of_rows.push(last.1);
        }
        Ok(self.as_they_are(of_rows))
    }

    /// What rows have of a key that is an instant cut down to steps of this width.
    pub(super) fn steps(&mut self, instants: &Int64Array, width: i64, origin: i64) -> Result<Codes, GaveUp> {
        let (mut start, mut code) = (None, 0);
        let mut of_rows = Vec::with_capacity(instants.len());
        for instant in instants {
            let within = match (instant, start) {
                (Some(instant), Some(start)) => (0..width).contains(&instant.wrapping_sub(start)),
                (instant, start) => instant.is_none() && start.is_none(),
            };
            if !within {
                start = instant.map(|instant| instant - (instant - origin).rem_euclid(width));
                code = self.number(start)?;
            }
            of_rows.push(code);
        }
        Ok(self.as_they_are(of_rows))
    }

    /// Codes that are numbers.
    fn as_they_are(&self, of_rows: Vec<u32>) -> Codes {
        Codes { of_rows, numbers: (0..u32::try_from(self.len()).unwrap_or(u32::MAX)).collect() }
    }

    /// The values with these numbers.
    pub(super) fn values(&self, numbers: impl Iterator<Item = u32>) -> ArrayRef {
        match self {
            Known::Texts { texts, .. } => {
                let text = |number: u32| texts.get(number as usize)?.as_deref();
                Arc::new(numbers.map(text).collect::<StringArray>())
            }
            Known::Numbers { values, .. } => {
                let value = |number: u32| values.get(number as usize).copied().flatten();
                Arc::new(numbers.map(value).collect::<Int64Array>())
            }
        }
    }

    /// Learns the values of another, and says the number here of each of its numbers.
    pub(super) fn learn(&mut self, other: &Known) -> Result<Vec<u32>, GaveUp> {
        match other {
            Known::Texts { texts, .. } => texts.iter().map(|text| self.text(text.as_deref())).collect(),
            Known::Numbers { values, .. } => values.iter().map(|value| self.number(*value)).collect(),
        }
    }
}

fn next(len: usize) -> Result<u32, GaveUp> {
    u32::try_from(len).map_err(|_| GaveUp)
}

/// The groups so far, each by the numbers of its keys. Group 0 is that of rows that do not count.
pub(super) struct Groups {
    of: HashMap<u64, u32>,
    /// The numbers of each group side by side, so many bits for each key.
    keys: Vec<u64>,
    bits: usize,
    most: usize,
    table: Vec<u32>,
}

impl Groups {
    /// None yet, of so many keys, each with so many measures.
    pub(super) fn new(keys: usize, measures: usize) -> Groups {
        // A single key's number has 32 bits anyhow.
        let bits = GROUP_BITS / keys.max(2);
        let most = MAX_GROUPS.min(MAX_COUNTED / measures.max(1));
        Groups { of: HashMap::new(), keys: vec![0], bits, most, table: Vec::new() }
    }

    /// With the group of rows that do not count.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The group with these numbers.
    pub(super) fn group(&mut self, numbers: impl Iterator<Item = u32>) -> Result<u32, GaveUp> {
        let mut key = 0_u64;
        for (at, number) in numbers.enumerate() {
            let number = u64::from(number);
            if number >> self.bits != 0 {
                return Err(GaveUp);
            }
            key |= number << (self.bits * at);
        }
        if let Some(group) = self.of.get(&key) {
            return Ok(*group);
        }
        if self.keys.len() > self.most {
            return Err(GaveUp);
        }
        let group = next(self.keys.len())?;
        self.keys.push(key);
        self.of.insert(key, group);
        Ok(group)
    }

    /// The group of each row of a piece; of those that do not pass, none.
    pub(super) fn rows(
        &mut self,
        rows: usize,
        keys: Vec<Codes>,
        passing: Option<&[bool]>,
    ) -> Result<Vec<u32>, GaveUp> {
        let passes = |row: usize| passing.is_none_or(|passing| passing.get(row) == Some(&true));
        let size = keys.iter().try_fold(1_usize, |size, key| size.checked_mul(key.numbers.len()));
        let Some(size) = size.filter(|size| *size <= MAX_TABLE) else {
            let group = |row| if passes(row) { self.group(numbers(&keys, row)) } else { Ok(0) };
            return (0..rows).map(group).collect();
        };
        let mut table = std::mem::take(&mut self.table);
        table.clear();
        table.resize(size, 0);
        let mut places = places(rows, &keys)?;
        for (row, place) in places.iter_mut().enumerate() {
            if !passes(row) {
                *place = 0;
                continue;
            }
            let known = table.get_mut(*place as usize).ok_or(GaveUp)?;
            if *known == 0 {
                *known = self.group(numbers(&keys, row))?;
            }
            *place = *known;
        }
        self.table = table;
        Ok(places)
    }

    /// The number of the `at`th key of each group but the first.
    pub(super) fn numbers(&self, at: usize) -> impl Iterator<Item = u32> {
        self.keys.iter().skip(1).map(move |key| self.number(*key, at))
    }

    fn number(&self, key: u64, at: usize) -> u32 {
        ((key >> (self.bits * at)) & ((1 << self.bits) - 1)) as u32
    }

    /// Learns the groups of another, and says the group here of each of its groups; `numbers` are those here of the
    /// numbers of each key there.
    pub(super) fn learn(&mut self, other: &Groups, numbers: &[Vec<u32>]) -> Result<Vec<u32>, GaveUp> {
        let others = other.keys.iter().skip(1).map(|key| {
            let here = numbers.iter().enumerate().map(|(at, numbers)| {
                numbers.get(other.number(*key, at) as usize).copied().unwrap_or_default()
            });
            self.group(here)
        });
        std::iter::once(Ok(0)).chain(others).collect()
    }
}

/// The place of each row in a piece's table.
fn places(rows: usize, keys: &[Codes]) -> Result<Vec<u32>, GaveUp> {
    let mut places = keys.first().map_or_else(|| vec![0; rows], |key| key.of_rows.clone());
    let mut stride = 1_u32;
    for (key, next) in keys.iter().zip(keys.iter().skip(1)) {
        stride = stride.saturating_mul(u32::try_from(key.numbers.len()).map_err(|_| GaveUp)?);
        for (place, code) in places.iter_mut().zip(&next.of_rows) {
            *place += code * stride;
        }
    }
    Ok(places)
}

/// The numbers of a row's keys.
fn numbers(keys: &[Codes], row: usize) -> impl Iterator<Item = u32> {
    keys.iter().map(move |key| {
        let code = key.of_rows.get(row).copied().unwrap_or_default();
        key.numbers.get(code as usize).copied().unwrap_or_default()
    })
}
