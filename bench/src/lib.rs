//! What the benchmarks in `benches/` run on. See README.md for how to run them and what they showed.
//!
//! Everything here is set-up: it panics where a program must not.
#![expect(clippy::unwrap_used, missing_docs, reason = "set-up of benchmarks")]

pub mod history;
pub mod samples;
pub mod sealed;
pub mod traffic;

/// What the server allocates with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
