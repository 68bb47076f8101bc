//! Decide: verify a token with given keys, authorise a call with Cedar.
//!
//! Pure: keys, tokens, policies and the time come in as arguments, a [`Principal`](greffier_event::Principal) or a
//! [`Decision`](greffier_event::Decision) comes out. This is the only crate that knows JWT and Cedar. Who fetches
//! keys, and when, is the gateway's business; a token never says where its keys come from.
//!
//! Identity: [`peek`] tells which issuer a token claims, [`verify`] proves it. Policy: [`Policies::load`] validates
//! the texts once, [`Policies::authorise`] answers each call.

mod authorise;
mod caller;
mod case;
mod cedar;
mod claims;
mod datetimes;
pub mod dev;
mod grammar;
mod issuer;
mod keys;
mod parameters;
#[cfg(test)]
mod plain;
mod policies;
mod refusal;
mod samples;
mod slices;
mod strict_json;
mod token;
mod verdict;
mod verify;

pub use authorise::{AdminAction, AdminQuestion, Question};
pub use claims::UNKNOWN_AGENT;
pub use issuer::{ClaimPaths, InvalidPointer, InvalidTenants, Issuer, Pointer, Tenants};
pub use keys::{KeySet, KeysError};
pub use policies::{Policies, PolicyErrors, PolicyPlace, PolicyProblem};
pub use refusal::Refusal;
pub use samples::SAMPLE_POLICIES;
pub use token::{Peek, peek};
pub use verify::verify;

/// The schema that policies are validated against, in Cedar's own form.
pub const SCHEMA: &str = include_str!("schema.cedarschema");
