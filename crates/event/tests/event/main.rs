//! What this crate promises, tested from outside: canonical bytes and the three forms.

mod canon;
mod forms;
mod jcs;
mod round_trips;
mod samples;
mod strategies;
