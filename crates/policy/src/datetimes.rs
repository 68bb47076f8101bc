//! Datetimes: moments as Cedar's values.
//!
//! Cedar makes them from text only, and reading a text costs more than evaluating a policy. So the second is read once,
//! and its milliseconds are added.

use std::sync::{LazyLock, Mutex};

use cedar_policy_core::ast::Value;
use greffier_event::Timestamp;

use crate::cedar::Function;

/// Milliseconds of a second: Cedar's times are as fine.
const MILLISECONDS: i64 = 1_000;

/// 0 to 999 milliseconds, and how to add them; made once for the process.
static DURATIONS: LazyLock<Option<(Function, Vec<Value>)>> = LazyLock::new(|| {
    let each = (0..MILLISECONDS).map(duration).collect::<Option<_>>();
    Function::named("offset").zip(each)
});

/// Remembers the second of late.
#[derive(Default)]
pub(crate) struct Datetimes {
    second: Mutex<Option<(i64, Value)>>,
}

impl Datetimes {
    /// `None` if Cedar has no such time.
    pub(crate) fn at(&self, time: Timestamp) -> Option<Value> {
        let milliseconds = time.as_micros().div_euclid(1_000);
        let second = self.second(milliseconds.div_euclid(MILLISECONDS))?;
        let (offset, durations) = DURATIONS.as_ref()?;
        let rest = usize::try_from(milliseconds.rem_euclid(MILLISECONDS)).ok()?;
        offset.call(&[second, durations.get(rest)?.clone()])
    }

    fn second(&self, second: i64) -> Option<Value> {
        let of_late = self.second.lock().ok().and_then(|of_late| of_late.clone());
        if let Some((_, value)) = of_late.filter(|(it, _)| *it == second) {
            return Some(value);
        }
        let epoch = Function::named("datetime")?.call(&[Value::from("1970-01-01")])?;
        let since = duration(second.checked_mul(MILLISECONDS)?)?;
        let value = Function::named("offset")?.call(&[epoch, since])?;
        if let Ok(mut of_late) = self.second.lock() {
            *of_late = Some((second, value.clone()));
        }
        Some(value)
    }
}

fn duration(milliseconds: i64) -> Option<Value> {
    Function::named("duration")?.call(&[Value::from(format!("{milliseconds}ms"))])
}
