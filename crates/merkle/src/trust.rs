//! Trust policies (C2SP tlog-policy): which logs an auditor accepts, and which witnesses must have cosigned.

mod parse;

use std::fmt;

pub use parse::{PolicyError, PolicyFault};

use crate::checkpoint::{self, Checkpoint, CheckpointError};
use crate::note::{Algorithm, KeyError, SignedNote, Statement, Verifier};
use crate::succession::{Succession, SuccessionError};

/// The longest policy file.
pub const MAX_POLICY: usize = 2 * 1024 * 1024;

/// The most logs, the most witnesses and the most groups: the specification asks for 32 each; a node of ours
/// lists a log per tenant, and while keys are replaced two.
pub const MAX_ENTRIES: usize = 8192;

/// An auditor's trust, stated in a text file that comes from elsewhere than what it judges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustPolicy {
    logs: Vec<Log>,
    witnesses: Vec<Witness>,
    groups: Vec<Group>,
    quorum: Option<Member>,
}

/// A log whose checkpoints are accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// Its key, named like its origin.
    pub verifier: Verifier,
    /// Where it is, for those who talk to it.
    pub url: Option<String>,
}

/// A witness whose cosignatures count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// What the policy calls it.
    pub name: String,
    /// Its key.
    pub verifier: Verifier,
    /// Where it takes checkpoints, for those who talk to it.
    pub url: Option<String>,
}

/// Members of which `threshold` must have witnessed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Group {
    name: String,
    threshold: usize,
    members: Vec<Member>,
}

/// What a quorum or group refers to, by its place: members stand before the groups that use them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Member {
    Witness(usize),
    Group(usize),
}

/// Why a checkpoint is not accepted.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Untrusted {
    /// Malformed, or not signed by a listed log.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Too few witnesses cosigned it.
    #[error("too few witnesses cosigned the checkpoint: the quorum {0} is not met")]
    Quorum(String),
}

impl TrustPolicy {
    /// The policy that accepts one log without witnesses. Refuses a witness's key.
    pub fn of_log(verifier: Verifier) -> Result<TrustPolicy, KeyError> {
        if verifier.algorithm() != Algorithm::Ed25519 {
            return Err(KeyError::Type(verifier.algorithm().type_byte()));
        }
        let logs = vec![Log { verifier, url: None }];
        Ok(TrustPolicy { logs, witnesses: Vec::new(), groups: Vec::new(), quorum: None })
    }

    /// The accepted logs.
    pub fn logs(&self) -> &[Log] {
        &self.logs
    }

    /// The known witnesses.
    pub fn witnesses(&self) -> &[Witness] {
        &self.witnesses
    }

    /// Every known key, of logs and of witnesses.
    pub fn verifiers(&self) -> impl Iterator<Item = &Verifier> {
        let logs = self.logs.iter().map(|log| &log.verifier);
        logs.chain(self.witnesses.iter().map(|witness| &witness.verifier))
    }

    /// Whether witnesses must have cosigned.
    pub fn has_quorum(&self) -> bool {
        self.quorum.is_some()
    }

    /// Trusts the key that a listed log's key names as the one to follow it; says whether that is one more. A
    /// succession of a log that is not listed is passed over. What is asked of witnesses stays the same.
    pub fn follow(&mut self, succession: &str) -> Result<bool, SuccessionError> {
        let Succession { old, new } = Succession::open(succession)?;
        let known = |key: &Verifier| self.logs.iter().any(|log| log.verifier == *key);
        // A policy lists no key twice, whatever its names.
        let taken = self.logs.iter().any(|log| log.verifier.public_key() == new.public_key());
        let follows = known(&old) && !taken && self.logs.len() < MAX_ENTRIES;
        if follows {
            self.logs.push(Log { verifier: new, url: None });
        }
        Ok(follows)
    }

    /// Checks a signed checkpoint: a listed log signed it, its witnesses meet the quorum, and no listed key's
    /// signature on it is bad.
    pub fn verify_checkpoint(&self, note: &str) -> Result<Checkpoint, Untrusted> {
        let (checkpoint, signed) = checkpoint::open_signed(note, self.verifiers())?;
        match self.quorum {
            Some(quorum) if !self.is_met(quorum, &signed) => {
                Err(Untrusted::Quorum(self.name(quorum).to_owned()))
            }
            _ => Ok(checkpoint),
        }
    }

    /// Since when the quorum has vouched for a note, in seconds since 1970: the latest time that enough of its
    /// cosignatures have reached. `None` where too few hold, or none are asked for. Who else signed it is not looked at.
    pub fn cosigned_at(&self, note: &SignedNote) -> Option<u64> {
        let quorum = self.quorum?;
        let time = |verifier: &Verifier| {
            let lines = note.signatures().iter();
            let held = lines.filter_map(|line| match verifier.check(note.text(), line)? {
                Statement::Cosigned { time } => Some(time),
                Statement::Signed => None,
            });
            held.max()
        };
        let witnesses = self.witnesses.iter().map(|witness| &witness.verifier);
        let cosigned: Vec<(&Verifier, u64)> =
            witnesses.filter_map(|verifier| Some((verifier, time(verifier)?))).collect();
        let mut times: Vec<u64> = cosigned.iter().map(|(_, time)| *time).collect();
        times.sort_unstable_by(|a, b| b.cmp(a));
        times.into_iter().find(|since| {
            let by_then = cosigned.iter().filter(|(_, time)| time >= since);
            self.is_met(quorum, &by_then.map(|(verifier, _)| *verifier).collect::<Vec<_>>())
        })
    }

    /// Whether the keys that signed satisfy a witness or group.
    fn is_met(&self, quorum: Member, signed: &[&Verifier]) -> bool {
        let cosigned: Vec<bool> =
            self.witnesses.iter().map(|witness| signed.contains(&&witness.verifier)).collect();
        // One pass without recursion: a group refers only to groups before it.
        let mut witnessed: Vec<bool> = Vec::new();
        let met = |member: &Member, witnessed: &[bool]| match member {
            Member::Witness(at) => cosigned.get(*at).copied().unwrap_or(false),
            Member::Group(at) => witnessed.get(*at).copied().unwrap_or(false),
        };
        for group in &self.groups {
            let count = group.members.iter().filter(|member| met(member, &witnessed)).count();
            witnessed.push(count >= group.threshold);
        }
        met(&quorum, &witnessed)
    }

    fn name(&self, member: Member) -> &str {
        let name = match member {
            Member::Witness(at) => self.witnesses.get(at).map(|witness| &witness.name),
            Member::Group(at) => self.groups.get(at).map(|group| &group.name),
        };
        name.map_or("none", String::as_str)
    }
}

/// Writes the policy as a file that parses to the same policy. Comments are not kept.
impl fmt::Display for TrustPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let with_url = |url: &Option<String>| url.as_ref().map(|url| format!(" {url}")).unwrap_or_default();
        for log in &self.logs {
            writeln!(f, "log {}{}", log.verifier, with_url(&log.url))?;
        }
        for witness in &self.witnesses {
            writeln!(f, "witness {} {}{}", witness.name, witness.verifier, with_url(&witness.url))?;
        }
        for group in &self.groups {
            write!(f, "group {} {}", group.name, group.threshold)?;
            group.members.iter().try_for_each(|member| write!(f, " {}", self.name(*member)))?;
            writeln!(f)?;
        }
        writeln!(f, "quorum {}", self.quorum.map_or("none", |quorum| self.name(quorum)))
    }
}

#[cfg(test)]
mod tests;
