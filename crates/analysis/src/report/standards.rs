//! The standards that are reported on: one table of clauses each.
//!
//! What a clause asks for is said in our own words and is no substitute for its text; `beyond` says what of it no trail can
//! show. Retention periods and clause numbers have their sources in the standards themselves.

mod eu_ai_act;
mod gdpr;
mod hipaa;
mod iso_42001;
mod pci_dss;
mod soc2;

use super::control::Control;

/// A standard.
#[derive(Debug)]
pub struct Standard {
    /// Its name in commands and paths.
    pub name: &'static str,
    /// Its title and edition.
    pub title: &'static str,
    /// Its clauses that a trail may say something of.
    pub clauses: &'static [Clause],
    /// Further ones, where a report is about one person; none where the standard knows no such right.
    pub of_person: &'static [Clause],
}

/// One clause.
#[derive(Debug)]
pub struct Clause {
    /// As the standard counts it.
    pub id: &'static str,
    /// What it asks for, in other words.
    pub asks: &'static str,
    /// The controls that bear on it; none where only people can say.
    pub controls: &'static [Control],
    /// What of it no trail can show.
    pub beyond: &'static str,
}

/// All of them.
pub static STANDARDS: [&Standard; 6] = [
    &soc2::STANDARD,
    &hipaa::STANDARD,
    &gdpr::STANDARD,
    &pci_dss::STANDARD,
    &eu_ai_act::STANDARD,
    &iso_42001::STANDARD,
];

/// The standard of this name.
pub fn standard(name: &str) -> Option<&'static Standard> {
    STANDARDS.into_iter().find(|standard| standard.name == name)
}
