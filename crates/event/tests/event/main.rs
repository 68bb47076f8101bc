//! What this crate promises, tested from outside: canonical bytes and the three forms.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests, which clippy.toml exempts only inside test functions"
)]

mod canon;
mod claims;
mod forms;
mod jcs;
mod round_trips;
mod samples;
mod strategies;
mod validate;
