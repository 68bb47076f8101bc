//! A case: one question in the words of the schema, put to the policies that can speak about it.
//!
//! Nothing is validated here: each action, its types of principal and resource, and each member of the context are
//! those of the schema by construction, and a test holds requests of every kind against it.

use std::net::IpAddr;
use std::sync::Arc;

use cedar_policy_core::ast::{Context, Entity, EntityUID, EntityUIDEntry, PartialValue, Request, Value};
use greffier_event::{Principal, Timestamp};
use serde_json::Value as Json;

use crate::Policies;
use crate::caller::Caller;
use crate::cedar::{entities, extended, strings};
use crate::parameters::{self, MAX_PARAMETERS};
use crate::verdict::Verdict;

/// A question in the words of the schema.
pub(crate) struct Case<'a> {
    /// Whether silence is a denial.
    pub(crate) needs_permit: bool,
    pub(crate) principal: &'a Principal,
    pub(crate) action: &'static str,
    pub(crate) resource: Entity,
    pub(crate) findings: &'a [&'a str],
    pub(crate) parameters: Option<&'a Json>,
    pub(crate) channel: &'a str,
    pub(crate) ip: Option<&'a str>,
    pub(crate) now: Timestamp,
}

/// Why policies cannot even be asked; the call is denied.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub(crate) enum Unaskable {
    #[error(
        "the call has more than {MAX_PARAMETERS} arguments, or too deep ones, and policies look at arguments"
    )]
    Parameters,
    #[error("the call's source address is not an IP address")]
    Address,
    #[error("the call cannot be put to the policies")]
    Internal,
}

impl Policies {
    /// What the policies say whose scope the case is in; the others cannot say anything.
    pub(crate) fn verdict(&self, case: &Case<'_>) -> Result<Verdict<'_>, Unaskable> {
        let caller = self.callers.caller(case.principal, &self.names, &self.slices);
        let caller = caller.ok_or(Unaskable::Internal)?;
        let action = self.slices.action(case.action).ok_or(Unaskable::Internal)?;
        let resource = Arc::new(case.resource.clone());
        let request = Request::new_unchecked(
            entry(caller.uid.clone()),
            entry(action.uid.clone()),
            entry(Arc::new(resource.uid().clone())),
            Some(self.context(case, &caller)?),
        );
        let parameters = self.parameters(case.parameters)?;
        let about_resource = self.slices.about_resource(&resource);
        let entities = entities(&caller.entities, [resource, parameters]).ok_or(Unaskable::Internal)?;
        let places = action.policies.common(&caller.policies, &about_resource);
        let rules = places.filter_map(|place| self.rules.get(place));
        Ok(Verdict::new(rules, request, &entities))
    }

    fn parameters(&self, arguments: Option<&Json>) -> Result<Arc<Entity>, Unaskable> {
        let Some(arguments) = arguments.filter(|_| self.reads_parameters) else {
            return Ok(self.names.no_parameters().clone());
        };
        let tags = parameters::flatten(arguments).map_err(|_| Unaskable::Parameters)?;
        let tags = tags.into_iter().map(|(name, text)| (name.into(), PartialValue::from(text)));
        let uid = EntityUID::clone(self.names.parameters());
        Ok(Arc::new(Entity::new_with_attr_partial_value(uid, [], [].into(), [].into(), tags)))
    }

    fn context(&self, case: &Case<'_>, caller: &Caller) -> Result<Context, Unaskable> {
        let mut source = vec![("channel", Value::from(case.channel))];
        if let Some(ip) = case.ip {
            let ip: IpAddr = ip.parse().map_err(|_| Unaskable::Address)?;
            // An IPv4 address in IPv6 clothes must meet the policies for IPv4 ranges.
            source.push(("ip", self.names.address(ip.to_canonical()).ok_or(Unaskable::Internal)?));
        }
        let circumstances = [
            ("findings", strings(case.findings.iter().copied())),
            ("time", self.datetimes.at(case.now).ok_or(Unaskable::Internal)?),
            ("source", Value::record(source, None)),
        ];
        extended(&caller.context, circumstances).ok_or(Unaskable::Internal)
    }
}

/// An entity in `parent`, without attributes.
pub(crate) fn within(parent: EntityUID, uid: EntityUID) -> Entity {
    Entity::new_with_attr_partial_value(uid, [], [].into(), [parent].into(), [])
}

/// A trail of `tenant`.
pub(crate) fn trail_of(tenant: EntityUID, uid: EntityUID) -> Entity {
    let tenant = ("tenant".into(), PartialValue::from(tenant));
    Entity::new_with_attr_partial_value(uid, [tenant], [].into(), [].into(), [])
}

fn entry(uid: Arc<EntityUID>) -> EntityUIDEntry {
    EntityUIDEntry::Known { euid: uid, loc: None }
}

#[cfg(test)]
mod tests;
