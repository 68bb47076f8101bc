//! A destination that fails again and again is left alone for a while, so that callers hear so at once and it can recover.
//!
//! Passive: only calls tell. After a rest one call goes through; it ends the rest or begins another.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Whether a destination is asked.
pub(crate) struct Circuit {
    /// Failures in a row after which it is left alone.
    after: u32,
    rest: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    failures: u32,
    /// End of the rest.
    until: Option<Instant>,
}

impl Circuit {
    pub(crate) fn new(after: u32, rest: Duration) -> Circuit {
        Circuit { after, rest, state: Mutex::default() }
    }

    /// Whether a call may go; if not, when to come again. The call that comes after the rest begins the next one, so that
    /// no other follows it before it has ended.
    pub(crate) fn admit(&self, now: Instant) -> Result<(), Duration> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match state.until {
            Some(until) if now < until => Err(until - now),
            Some(_) => {
                state.until = Some(now + self.rest);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// It answered.
    pub(crate) fn succeeded(&self) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = State::default();
    }

    /// It did not, or said that it cannot.
    pub(crate) fn failed(&self, now: Instant) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.failures = state.failures.saturating_add(1);
        if state.failures >= self.after {
            state.until = Some(now + self.rest);
        }
    }

    /// How long it is left alone yet, if it is.
    pub(crate) fn rests(&self, now: Instant) -> Option<Duration> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.until.and_then(|until| until.checked_duration_since(now)).filter(|left| !left.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `+` a success, `-` a failure, digits advance by so many seconds, `?` asks; what the questions were answered.
    fn check(steps: &str) -> String {
        let circuit = Circuit::new(3, Duration::from_secs(5));
        let mut now = Instant::now();
        let mut said = String::new();
        for step in steps.chars() {
            match step {
                '+' => circuit.succeeded(),
                '-' => circuit.failed(now),
                '?' => said.push_str(&match circuit.admit(now) {
                    Ok(()) => "go ".to_owned(),
                    Err(rest) => format!("{}s ", rest.as_secs()),
                }),
                digit => now += Duration::from_secs(digit.to_digit(10).unwrap().into()),
            }
        }
        said.trim_end().to_owned()
    }

    #[test]
    fn failures_in_a_row_open_it() {
        insta::assert_snapshot!(check("?--?-?"), @"go go 5s");
        insta::assert_snapshot!(check("--+--?"), @"go");
        insta::assert_snapshot!(check("---2?3??"), @"3s go 5s");
    }

    #[test]
    fn one_call_decides_after_a_rest() {
        insta::assert_snapshot!(check("---5?+??"), @"go go go");
        insta::assert_snapshot!(check("---5?-?4?1?"), @"go 5s 1s go");
        // A probe that nobody heard of again.
        insta::assert_snapshot!(check("---5?5?"), @"go go");
    }
}
