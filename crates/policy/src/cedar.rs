//! Cedar's names for our things, and its values of them. They are made, never parsed, so nothing in them can turn
//! into policy language.
//!
//! These are the types of Cedar's own evaluator. Its outer crate would take expressions instead, and evaluate them to
//! these values anew for each call.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use cedar_policy::{EntityTypeName, ParseErrors};
use cedar_policy_core::ast::{
    Context, Eid, Entity, EntityType, EntityUID, ExtensionFunction, Literal, Name, PartialValue, Value,
    ValueKind,
};
use cedar_policy_core::entities::{Entities, NoEntitiesSchema, TCComputation};
use cedar_policy_core::extensions::Extensions;

/// The entity types of the schema, and what else is the same for every call.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    user: EntityType,
    service: EntityType,
    role: EntityType,
    tenant: EntityType,
    model: EntityType,
    tool: EntityType,
    server: EntityType,
    trail: EntityType,
    resource: EntityType,
    parameters: Arc<EntityUID>,
    no_parameters: Arc<Entity>,
    ip: Option<Function>,
}

impl Names {
    pub(crate) fn new() -> Result<Names, Box<ParseErrors>> {
        let kind = |name: &str| -> Result<EntityType, Box<ParseErrors>> {
            Ok(name.parse::<EntityTypeName>().map_err(Box::new)?.as_ref().clone())
        };
        let parameters = uid(&kind("Parameters")?, "call");
        Ok(Names {
            user: kind("User")?,
            service: kind("Service")?,
            role: kind("Role")?,
            tenant: kind("Tenant")?,
            model: kind("Model")?,
            tool: kind("Tool")?,
            server: kind("Server")?,
            trail: kind("Trail")?,
            resource: kind("Resource")?,
            no_parameters: Arc::new(Entity::with_uid(parameters.clone())),
            parameters: Arc::new(parameters),
            ip: Function::named("ip"),
        })
    }

    pub(crate) fn user(&self, id: &str) -> EntityUID {
        uid(&self.user, id)
    }

    pub(crate) fn service(&self, id: &str) -> EntityUID {
        uid(&self.service, id)
    }

    pub(crate) fn role(&self, id: &str) -> EntityUID {
        uid(&self.role, id)
    }

    pub(crate) fn tenant(&self, id: &str) -> EntityUID {
        uid(&self.tenant, id)
    }

    pub(crate) fn model(&self, id: &str) -> EntityUID {
        uid(&self.model, id)
    }

    pub(crate) fn tool(&self, id: &str) -> EntityUID {
        uid(&self.tool, id)
    }

    pub(crate) fn server(&self, id: &str) -> EntityUID {
        uid(&self.server, id)
    }

    pub(crate) fn trail(&self, id: &str) -> EntityUID {
        uid(&self.trail, id)
    }

    pub(crate) fn resource(&self, id: &str) -> EntityUID {
        uid(&self.resource, id)
    }

    /// The one entity that carries a call's arguments.
    pub(crate) fn parameters(&self) -> &Arc<EntityUID> {
        &self.parameters
    }

    /// That entity of a call without arguments.
    pub(crate) fn no_parameters(&self) -> &Arc<Entity> {
        &self.no_parameters
    }

    pub(crate) fn address(&self, ip: IpAddr) -> Option<Value> {
        self.ip?.call(&[Value::from(ip.to_string())])
    }
}

/// A function of Cedar's extension types.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Function(&'static ExtensionFunction);

impl Function {
    /// `None` if Cedar was built without it.
    pub(crate) fn named(name: &str) -> Option<Function> {
        let name = Name::parse_unqualified_name(name).ok()?;
        Extensions::all_available().func(&name).ok().map(Function)
    }

    /// `None` if it does not take these arguments.
    pub(crate) fn call(self, arguments: &[Value]) -> Option<Value> {
        match self.0.call(arguments).ok()? {
            PartialValue::Value(value) => Some(value),
            PartialValue::Residual(_) => None,
        }
    }
}

/// A set of strings.
pub(crate) fn strings<'a>(texts: impl Iterator<Item = &'a str>) -> Value {
    Value::set_of_lits(texts.map(Literal::from), None)
}

/// `None` if it is no truth value, which validation rules out for conditions.
pub(crate) fn truth(value: &Value) -> Option<bool> {
    match value.value_kind() {
        ValueKind::Lit(Literal::Bool(truth)) => Some(*truth),
        _ => None,
    }
}

fn uid(kind: &EntityType, id: &str) -> EntityUID {
    EntityUID::from_components(kind.clone(), Eid::new(id), None)
}

/// `base` with more entities. Their hierarchy is flat: each names all its ancestors as parents, so nothing is left to
/// compute.
pub(crate) fn entities(base: &Entities, more: impl IntoIterator<Item = Arc<Entity>>) -> Option<Entities> {
    let flat = TCComputation::AssumeAlreadyComputed;
    base.clone().add_entities(more, None::<&NoEntitiesSchema>, flat, Extensions::all_available()).ok()
}

/// `base` with more members.
pub(crate) fn extended(
    base: &Context,
    more: impl IntoIterator<Item = (&'static str, Value)>,
) -> Option<Context> {
    let Context::Value(base) = base else { return None };
    let mut members = BTreeMap::clone(base);
    members.extend(more.into_iter().map(|(name, value)| (name.into(), value)));
    Some(Context::Value(Arc::new(members)))
}
