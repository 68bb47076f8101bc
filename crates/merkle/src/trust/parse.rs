//! Reading a policy file, line by line, refusing whatever the specification does not allow.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use crate::encode::parse_decimal;
use crate::note::{Algorithm, KeyError, Verifier};
use crate::trust::{Group, Log, MAX_ENTRIES, MAX_POLICY, Member, TrustPolicy, Witness};

/// The name that stands for no quorum.
const NONE: &str = "none";

/// Text that is no policy.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PolicyError {
    /// Longer than [`MAX_POLICY`].
    #[error("trust policy is larger than 2 MiB")]
    TooLarge,
    /// A line that does not fit.
    #[error("trust policy, line {line}: {fault}")]
    Line {
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it.
        fault: PolicyFault,
    },
    /// No quorum line.
    #[error("trust policy has no quorum line: add \"quorum none\" to ask for no witnesses")]
    NoQuorum,
}

/// What is wrong with a line.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PolicyFault {
    /// A control character other than tab.
    #[error("control characters other than tab are not allowed: end lines with a plain newline")]
    Control,
    /// Not one of the four kinds of line.
    #[error(
        "expected \"log <vkey> [url]\", \"witness <name> <vkey> [url]\", \"group <name> all|any|<k> <member>...\" or \"quorum <name>|none\""
    )]
    Form,
    /// A key that cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A witness's key as a log's, or the other way round.
    #[error("a log needs a key of type 0x01, a witness one of type 0x04")]
    Role,
    /// The same key twice in one role.
    #[error("this key is already listed")]
    DuplicateKey,
    /// A name defined twice, or the name `none`.
    #[error("the name {0} is already taken")]
    Taken(String),
    /// A name not defined on a line above.
    #[error("the name {0} is not defined above")]
    Undefined(String),
    /// A second membership.
    #[error("{0} is already a member of a group")]
    Member(String),
    /// A threshold outside 1 to the number of members.
    #[error("the threshold is all, any or a number from 1 to that of the members")]
    Threshold,
    /// A second quorum line.
    #[error("there is already a quorum line")]
    SecondQuorum,
    /// More lines of a kind than [`MAX_ENTRIES`].
    #[error("more than 8192 of a kind")]
    TooMany,
}

/// The policy as far as it has been read.
#[derive(Default)]
struct Reader {
    logs: Vec<Log>,
    witnesses: Vec<Witness>,
    groups: Vec<Group>,
    quorum: Option<Option<Member>>,
    names: BTreeMap<String, Member>,
    log_keys: BTreeSet<[u8; 32]>,
    witness_keys: BTreeSet<[u8; 32]>,
    grouped: BTreeSet<Member>,
}

impl TrustPolicy {
    /// Reads a policy file.
    pub fn parse(text: &str) -> Result<TrustPolicy, PolicyError> {
        if text.len() > MAX_POLICY {
            return Err(PolicyError::TooLarge);
        }
        let mut reader = Reader::default();
        for (line, text) in (1..).zip(text.split('\n')) {
            reader.line(text).map_err(|fault| PolicyError::Line { line, fault })?;
        }
        let Reader { logs, witnesses, groups, quorum, .. } = reader;
        let quorum = quorum.ok_or(PolicyError::NoQuorum)?;
        Ok(TrustPolicy { logs, witnesses, groups, quorum })
    }
}

impl FromStr for TrustPolicy {
    type Err = PolicyError;
    fn from_str(text: &str) -> Result<TrustPolicy, PolicyError> {
        TrustPolicy::parse(text)
    }
}

impl Reader {
    fn line(&mut self, line: &str) -> Result<(), PolicyFault> {
        if line.bytes().any(|b| b.is_ascii_control() && b != b'\t') {
            return Err(PolicyFault::Control);
        }
        // White space is space and tab only: other spaces of Unicode belong to names.
        let words: Vec<&str> = line.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
        match words.as_slice() {
            [] => Ok(()),
            [first, ..] if first.starts_with('#') => Ok(()),
            ["log", key] => self.log(key, None),
            ["log", key, url] => self.log(key, Some(url)),
            ["witness", name, key] => self.witness(name, key, None),
            ["witness", name, key, url] => self.witness(name, key, Some(url)),
            ["group", name, threshold, members @ ..] if !members.is_empty() => {
                self.group(name, threshold, members)
            }
            ["quorum", name] => self.quorum(name),
            _ => Err(PolicyFault::Form),
        }
    }

    fn log(&mut self, key: &str, url: Option<&str>) -> Result<(), PolicyFault> {
        bounded(self.logs.len())?;
        let verifier = read_key(key, Algorithm::Ed25519, &mut self.log_keys)?;
        self.logs.push(Log { verifier, url: url.map(str::to_owned) });
        Ok(())
    }

    fn witness(&mut self, name: &str, key: &str, url: Option<&str>) -> Result<(), PolicyFault> {
        bounded(self.witnesses.len())?;
        let verifier = read_key(key, Algorithm::Cosignature, &mut self.witness_keys)?;
        self.define(name, Member::Witness(self.witnesses.len()))?;
        self.witnesses.push(Witness { name: name.to_owned(), verifier, url: url.map(str::to_owned) });
        Ok(())
    }

    fn group(&mut self, name: &str, threshold: &str, names: &[&str]) -> Result<(), PolicyFault> {
        bounded(self.groups.len())?;
        let mut members = Vec::new();
        for name in names {
            let member = self.resolve(name)?;
            if !self.grouped.insert(member) {
                return Err(PolicyFault::Member((*name).to_owned()));
            }
            members.push(member);
        }
        let threshold = match threshold {
            "all" => members.len(),
            "any" => 1,
            k => parse_decimal(k)
                .and_then(|k| usize::try_from(k).ok())
                .filter(|k| (1..=members.len()).contains(k))
                .ok_or(PolicyFault::Threshold)?,
        };
        self.define(name, Member::Group(self.groups.len()))?;
        self.groups.push(Group { name: name.to_owned(), threshold, members });
        Ok(())
    }

    fn quorum(&mut self, name: &str) -> Result<(), PolicyFault> {
        let quorum = if name == NONE { None } else { Some(self.resolve(name)?) };
        match self.quorum.replace(quorum) {
            None => Ok(()),
            Some(_) => Err(PolicyFault::SecondQuorum),
        }
    }

    fn define(&mut self, name: &str, member: Member) -> Result<(), PolicyFault> {
        if name == NONE || self.names.insert(name.to_owned(), member).is_some() {
            return Err(PolicyFault::Taken(name.to_owned()));
        }
        Ok(())
    }

    fn resolve(&self, name: &str) -> Result<Member, PolicyFault> {
        self.names.get(name).copied().ok_or_else(|| PolicyFault::Undefined(name.to_owned()))
    }
}

fn bounded(count: usize) -> Result<(), PolicyFault> {
    if count < MAX_ENTRIES { Ok(()) } else { Err(PolicyFault::TooMany) }
}

fn read_key(key: &str, role: Algorithm, listed: &mut BTreeSet<[u8; 32]>) -> Result<Verifier, PolicyFault> {
    let verifier = Verifier::parse(key)?;
    if verifier.algorithm() != role {
        return Err(PolicyFault::Role);
    }
    if !listed.insert(*verifier.public_key()) {
        return Err(PolicyFault::DuplicateKey);
    }
    Ok(verifier)
}
