//! The native half of the Python package `greffier`: conversion between Python and the Rust SDK, and nothing else.
//!
//! What is decided stands in `greffier-client` below, what Python programs see in `greffier/` beside this. Whatever may
//! wait (a disk, a server, room in a buffer) is waited for without the interpreter's lock. Objects of Python are read
//! once, where they are handed over, so that what happens to them later changes no record.

mod backend;
mod errors;
mod event;
mod foreign;
mod guard;
mod ledger;
mod logger;
mod prepare;
mod server;
mod values;

/// What `greffier` is made of.
#[pyo3::pymodule(name = "_native")]
mod native {
    #[pymodule_export]
    use crate::backend::Backend;
    #[pymodule_export]
    use crate::event::{event_id, flat, now, parse_traceparent, span};
    #[pymodule_export]
    use crate::guard::{Guard, Permit};
    #[pymodule_export]
    use crate::logger::Logger;
    #[pymodule_export]
    use crate::prepare::prepare;
    #[pymodule_export]
    use crate::values::redact;
}
