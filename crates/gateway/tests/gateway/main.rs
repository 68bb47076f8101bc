//! The gateway from outside: calls through it, visits at its door, and the time it goes by.

mod actions;
mod adapters;
mod chains;
mod clock;
mod goes_on;
mod govern;
mod harness;
mod hooks;
mod malformed;
mod mcp;
mod site;
