//! The recorder for AI agents.
fn main() {}
