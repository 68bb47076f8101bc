//! Authorise: one principal, one thing it wants to do, one answer with its reasons.
//!
//! Denied unless a policy permits, and denied whenever a policy cannot be evaluated: Cedar alone would pass over a
//! `forbid` that errs. Reasons name roles, never people.

use std::net::IpAddr;

use cedar_policy::{
    Authorizer, Context, Decision as CedarDecision, Entities, Entity, EntityUid, PolicyId, Request, Response,
    RestrictedExpression,
};
use greffier_event::{Decision, DecisionKind, Principal, Target, Tenant, Timestamp};
use serde_json::Value;

use crate::parameters::{self, MAX_PARAMETERS};
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
        }
    }
}

impl Policies {
    /// Decides a governed call.
    pub fn authorise(&self, principal: &Principal, question: &Question<'_>) -> Decision {
        let (action, resource, parents, words) = match question.target {
            Target::Model { name } => (
                "invoke_model",
                self.names.model(name),
                None,
                format!("invoke model {}", shown(name, SHOWN_TARGET)),
            ),
            Target::Tool { server, name } => {
                let server = self.names.server(server);
                (
                    "call_tool",
                    self.names.tool(name),
                    Some(server),
                    format!("call tool {}", shown(name, SHOWN_TARGET)),
                )
            }
            Target::Session { server, name } => {
                let server = self.names.server(server);
                let words = format!("use {}", shown(name, SHOWN_TARGET));
                ("call_tool", self.names.tool(name), Some(server), words)
            }
            Target::Resource { server, uri } => {
                let server = self.names.server(server);
                let words = format!("read resource {}", shown(uri, SHOWN_TARGET));
                ("read_resource", self.names.resource(uri), Some(server), words)
            }
        };
        self.decide(&Case {
            needs_permit: !matches!(question.target, Target::Session { .. }),
            principal,
            action,
            resource: Entity::new_no_attrs(resource, parents.into_iter().collect()),
            words,
            findings: question.findings,
            parameters: question.parameters,
            channel: "gateway",
            ip: question.ip,
            now: question.now,
        })
    }

    /// Decides a use of Greffier itself.
    pub fn authorise_admin(&self, principal: &Principal, question: &AdminQuestion<'_>) -> Decision {
        let trail = question.trail.as_str();
        let tenant = RestrictedExpression::new_entity_uid(self.names.tenant(trail));
        let attributes = [("tenant".to_owned(), tenant)].into();
        let words = question.action.words(trail);
        match Entity::new(self.names.trail(trail), attributes, [].into()) {
            Ok(resource) => self.decide(&Case {
                needs_permit: true,
                principal,
                action: question.action.name(),
                resource,
                words,
                findings: &[],
                parameters: None,
                channel: "api",
                ip: question.ip,
                now: question.now,
            }),
            Err(_) => self.deny(None, vec![Unaskable::Internal.to_string()]),
        }
    }

    fn decide(&self, case: &Case<'_>) -> Decision {
        let response = match self.ask(case) {
            Ok(response) => response,
            Err(unaskable) => return self.deny(None, vec![unaskable.to_string()]),
        };
        // Cedar gives a set; sorted, the same call is always recorded with the same rule.
        let mut deciding: Vec<&str> = response.diagnostics().reason().map(id).collect();
        deciding.sort_unstable();
        let mut erred: Vec<&str> =
            response.diagnostics().errors().map(|error| id(error_policy(error))).collect();
        erred.sort_unstable();
        // Only which policy erred: what it stumbled over may be a caller's argument.
        let faults = erred.iter().map(|id| format!("policy \"{id}\" cannot be evaluated for this call"));

        match (response.decision(), deciding.first()) {
            (CedarDecision::Allow, Some(rule)) if erred.is_empty() => Decision {
                kind: DecisionKind::Allow,
                rule: Some((*rule).to_owned()),
                reasons: Vec::new(),
                version: self.digest().to_owned(),
            },
            (CedarDecision::Deny, Some(rule)) => {
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
                let reason = format!("no policy permits {} to {}", who(case.principal), case.words);
                self.deny(None, vec![reason])
            }
        }
    }

    fn deny(&self, rule: Option<String>, reasons: Vec<String>) -> Decision {
        Decision { kind: DecisionKind::Deny, rule, reasons, version: self.digest().to_owned() }
    }

    fn ask(&self, case: &Case<'_>) -> Result<Response, Unaskable> {
        let principal = self.principal(case.principal)?;
        let request = Request::new(
            principal.uid(),
            self.names.action(case.action),
            case.resource.uid(),
            self.context(case)?,
            // Checked against the schema: a policy must never see a request that validation did not foresee.
            Some(&self.schema),
        )
        .map_err(|_| Unaskable::Internal)?;
        let entities = [principal, case.resource.clone(), self.parameters(case.parameters)?];
        let entities = Entities::from_entities(entities, None).map_err(|_| Unaskable::Internal)?;
        Ok(Authorizer::new().is_authorized(&request, &self.set, &entities))
    }

    fn principal(&self, principal: &Principal) -> Result<Entity, Unaskable> {
        let uid: EntityUid = match &principal.user {
            Some(user) => self.names.user(user),
            None => self.names.service(principal.client_id.as_deref().unwrap_or(&principal.agent)),
        };
        let roles = principal.roles.iter().map(|role| self.names.role(role));
        let tenant = self.names.tenant(principal.tenant.as_str());
        let attributes = [
            ("issuer".to_owned(), string(&principal.issuer)),
            ("verified".to_owned(), RestrictedExpression::new_bool(principal.verified)),
        ];
        Entity::new(uid, attributes.into(), roles.chain([tenant]).collect()).map_err(|_| Unaskable::Internal)
    }

    fn parameters(&self, arguments: Option<&Value>) -> Result<Entity, Unaskable> {
        let uid = self.names.parameters();
        match arguments.filter(|_| self.reads_parameters) {
            None => Ok(Entity::with_uid(uid)),
            Some(arguments) => {
                let tags = parameters::flatten(arguments).map_err(|_| Unaskable::Parameters)?;
                let tags =
                    tags.into_iter().map(|(name, text)| (name, RestrictedExpression::new_string(text)));
                Entity::new_with_tags(uid, [], [], tags).map_err(|_| Unaskable::Internal)
            }
        }
    }

    fn context(&self, case: &Case<'_>) -> Result<Context, Unaskable> {
        let principal = case.principal;
        let mut source = vec![("channel".to_owned(), string(case.channel))];
        if let Some(ip) = case.ip {
            let ip: IpAddr = ip.parse().map_err(|_| Unaskable::Address)?;
            // An IPv4 address in IPv6 clothes must meet the policies for IPv4 ranges.
            let ip = RestrictedExpression::new_ip(ip.to_canonical().to_string());
            source.push(("ip".to_owned(), ip));
        }
        let source = RestrictedExpression::new_record(source).map_err(|_| Unaskable::Internal)?;
        let mut pairs = vec![
            ("agent".to_owned(), string(&principal.agent)),
            ("via".to_owned(), set(principal.via.iter().map(|actor| actor.sub.as_str()))),
            ("scopes".to_owned(), set(principal.scopes.iter().map(String::as_str))),
            ("parameters".to_owned(), RestrictedExpression::new_entity_uid(self.names.parameters())),
            ("findings".to_owned(), set(case.findings.iter().copied())),
            ("time".to_owned(), RestrictedExpression::new_datetime(milliseconds(case.now))),
            ("source".to_owned(), source),
        ];
        if let Some(tier) = &principal.tier {
            pairs.push(("tier".to_owned(), string(tier)));
        }
        Context::from_pairs(pairs).map_err(|_| Unaskable::Internal)
    }
}

/// A question in the words of the schema.
struct Case<'a> {
    /// Whether silence is a denial.
    needs_permit: bool,
    principal: &'a Principal,
    action: &'static str,
    resource: Entity,
    /// The same for people: "call tool crm:contacts:search".
    words: String,
    findings: &'a [&'a str],
    parameters: Option<&'a Value>,
    channel: &'static str,
    ip: Option<&'a str>,
    now: Timestamp,
}

/// Why policies cannot even be asked; the call is denied.
#[derive(Clone, Copy, Debug, thiserror::Error)]
enum Unaskable {
    #[error(
        "the call has more than {MAX_PARAMETERS} arguments, or too deep ones, and policies look at arguments"
    )]
    Parameters,
    #[error("the call's source address is not an IP address")]
    Address,
    #[error("the call cannot be put to the policies")]
    Internal,
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

fn string(text: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(text.to_owned())
}

fn set<'a>(texts: impl Iterator<Item = &'a str>) -> RestrictedExpression {
    RestrictedExpression::new_set(texts.map(string))
}

/// Cedar's `datetime` has milliseconds.
fn milliseconds(time: Timestamp) -> String {
    let text = time.to_string();
    format!(
        "{}Z",
        text.strip_suffix("Z").and_then(|text| text.get(..text.len().saturating_sub(3))).unwrap_or(&text)
    )
}

fn id(policy: &PolicyId) -> &str {
    policy.as_ref()
}

fn error_policy(error: &cedar_policy::AuthorizationError) -> &PolicyId {
    match error {
        cedar_policy::AuthorizationError::PolicyEvaluationError(error) => error.policy_id(),
    }
}

#[cfg(test)]
mod tests;
