//! Authorise: one principal, one thing it wants to do, one answer with its reasons.
//!
//! Denied unless a policy permits, and denied whenever a policy cannot be evaluated: Cedar alone would pass over a
//! `forbid` that errs. Reasons name roles, never people.

use cedar_policy_core::ast::Entity;
use greffier_event::{Decision, DecisionKind, Principal, Target, Tenant, Timestamp};
use serde_json::Value;

use crate::case::{Case, trail_of, within};
use crate::verdict::Verdict;
use crate::{Policies, grammar};

/// Roles that a reason names, and characters of a role and of a target that it shows: a reason stands in the
/// record, where it has 512 characters.
const SHOWN_ROLES: usize = 3;
const SHOWN_ROLE: usize = 64;
const SHOWN_TARGET: usize = 128;

/// The rule that lets through what no policy forbids and none has to permit.
const OF_THE_PROTOCOL: &str = "the protocol needs it, and no policy forbids it";

/// A governed call, as policies see it.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// What is called.
    pub target: &'a Target,
    /// Types of what inspection found.
    pub findings: &'a [&'a str],
    /// A tool's arguments.
    pub parameters: Option<&'a Value>,
    /// The caller's address.
    pub ip: Option<&'a str>,
    /// How it reached us: `gateway`, or `hook` from a client that only asks.
    pub channel: &'a str,
    /// When.
    pub now: Timestamp,
}

/// A use of Greffier itself.
#[derive(Clone, Copy, Debug)]
pub struct AdminQuestion<'a> {
    /// What is to be done.
    pub action: AdminAction,
    /// Whose trail it concerns; the node's own for what concerns the node.
    pub trail: &'a Tenant,
    /// The caller's address.
    pub ip: Option<&'a str>,
    /// When.
    pub now: Timestamp,
}

/// What Greffier does itself, for those whom policies let.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are the vocabulary")]
pub enum AdminAction {
    ReadTrail,
    ExportTrail,
    Ingest,
    Erase,
    Approve,
    Manage,
    Attest,
}

impl AdminAction {
    /// The name that policies use.
    pub fn name(self) -> &'static str {
        match self {
            AdminAction::ReadTrail => "read_trail",
            AdminAction::ExportTrail => "export_trail",
            AdminAction::Ingest => "ingest",
            AdminAction::Erase => "erase",
            AdminAction::Approve => "approve",
            AdminAction::Manage => "manage",
            AdminAction::Attest => "attest",
        }
    }

    fn words(self, trail: &str) -> String {
        match self {
            AdminAction::ReadTrail => format!("read the trail {trail}"),
            AdminAction::ExportTrail => format!("export the trail {trail}"),
            AdminAction::Ingest => format!("add events to the trail {trail}"),
            AdminAction::Erase => format!("erase from the trail {trail}"),
            AdminAction::Approve => format!("approve calls of {trail}"),
            AdminAction::Manage => format!("manage {trail}"),
            AdminAction::Attest => format!("attest reviews on the trail {trail}"),
        }
    }
}

impl Policies {
    /// Decides a governed call.
    pub fn authorise(&self, principal: &Principal, question: &Question<'_>) -> Decision {
        let (action, resource) = match question.target {
            Target::Model { name } => ("invoke_model", Entity::with_uid(self.names.model(name))),
            Target::Tool { server, name } => {
                ("call_tool", within(self.names.server(server), self.names.tool(name)))
            }
            Target::Session { server, name } => {
                ("call_tool", within(self.names.server(server), self.names.tool(name)))
            }
            Target::Resource { server, uri } => {
                ("read_resource", within(self.names.server(server), self.names.resource(uri)))
            }
        };
        let case = Case {
            needs_permit: !matches!(question.target, Target::Session { .. }),
            principal,
            action,
            resource,
            findings: question.findings,
            parameters: question.parameters,
            channel: question.channel,
            ip: question.ip,
            now: question.now,
        };
        self.decide(&case, || match question.target {
            Target::Model { name } => format!("invoke model {}", shown(name, SHOWN_TARGET)),
            Target::Tool { name, .. } => format!("call tool {}", shown(name, SHOWN_TARGET)),
            Target::Session { name, .. } => format!("use {}", shown(name, SHOWN_TARGET)),
            Target::Resource { uri, .. } => format!("read resource {}", shown(uri, SHOWN_TARGET)),
        })
    }

    /// Decides a use of Greffier itself.
    pub fn authorise_admin(&self, principal: &Principal, question: &AdminQuestion<'_>) -> Decision {
        let trail = question.trail.as_str();
        let case = Case {
            needs_permit: true,
            principal,
            action: question.action.name(),
            resource: trail_of(self.names.tenant(trail), self.names.trail(trail)),
            findings: &[],
            parameters: None,
            channel: "api",
            ip: question.ip,
            now: question.now,
        };
        self.decide(&case, || question.action.words(trail))
    }

    /// `words` say for people what is asked for: "call tool crm:contacts:search".
    fn decide(&self, case: &Case<'_>, words: impl FnOnce() -> String) -> Decision {
        let Verdict { permitted, deciding, erred } = match self.verdict(case) {
            Ok(verdict) => verdict,
            Err(unaskable) => return self.deny(None, vec![unaskable.to_string()]),
        };
        // Only which policy erred: what it stumbled over may be a caller's argument.
        let faults = erred.iter().map(|id| format!("policy \"{id}\" cannot be evaluated for this call"));

        match (permitted, deciding.first()) {
            (true, Some(rule)) if erred.is_empty() => Decision {
                kind: DecisionKind::Allow,
                rule: Some((*rule).to_owned()),
                reasons: Vec::new(),
                version: self.digest().to_owned(),
            },
            (false, Some(rule)) => {
                let forbidden = deciding.iter().map(|id| format!("policy \"{id}\" forbids it"));
                self.deny(Some((*rule).to_owned()), forbidden.chain(faults).collect())
            }
            _ if !erred.is_empty() => self.deny(None, faults.collect()),
            _ if !case.needs_permit => Decision {
                kind: DecisionKind::Allow,
                rule: Some(OF_THE_PROTOCOL.to_owned()),
                reasons: Vec::new(),
                version: self.digest().to_owned(),
            },
            _ => {
                let reason = format!("no policy permits {} to {}", who(case.principal), words());
                self.deny(None, vec![reason])
            }
        }
    }

    fn deny(&self, rule: Option<String>, reasons: Vec<String>) -> Decision {
        Decision { kind: DecisionKind::Deny, rule, reasons, version: self.digest().to_owned() }
    }
}

fn who(principal: &Principal) -> String {
    let kind = if principal.user.is_some() { "a user" } else { "a service" };
    let named: Vec<String> =
        principal.roles.iter().take(SHOWN_ROLES).map(|role| shown(role, SHOWN_ROLE)).collect();
    let more = principal.roles.len().saturating_sub(named.len());
    let and_more = if more > 0 { format!(" and {more} more") } else { String::new() };
    match principal.roles.len() {
        0 => format!("{kind} without a role"),
        1 => format!("{kind} with role {}", named.join(", ")),
        _ => format!("{kind} with roles {}{and_more}", named.join(", ")),
    }
}

/// A name as it may stand in a sentence.
fn shown(name: &str, most: usize) -> String {
    name.chars().map(|c| if grammar::is_plain(c) { c } else { '\u{FFFD}' }).take(most).collect()
}

#[cfg(test)]
mod tests;
