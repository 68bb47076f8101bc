//! Cedar's names for our things, parsed once.

use cedar_policy::{EntityId, EntityTypeName, EntityUid, ParseErrors};

/// The entity types and actions of the schema.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    user: EntityTypeName,
    service: EntityTypeName,
    role: EntityTypeName,
    tenant: EntityTypeName,
    model: EntityTypeName,
    tool: EntityTypeName,
    server: EntityTypeName,
    trail: EntityTypeName,
    resource: EntityTypeName,
    action: EntityTypeName,
    parameters: EntityTypeName,
}

impl Names {
    pub(crate) fn new() -> Result<Names, Box<ParseErrors>> {
        Ok(Names {
            user: "User".parse()?,
            service: "Service".parse()?,
            role: "Role".parse()?,
            tenant: "Tenant".parse()?,
            model: "Model".parse()?,
            tool: "Tool".parse()?,
            server: "Server".parse()?,
            trail: "Trail".parse()?,
            resource: "Resource".parse()?,
            action: "Action".parse()?,
            parameters: "Parameters".parse()?,
        })
    }

    pub(crate) fn user(&self, id: &str) -> EntityUid {
        uid(&self.user, id)
    }

    pub(crate) fn service(&self, id: &str) -> EntityUid {
        uid(&self.service, id)
    }

    pub(crate) fn role(&self, id: &str) -> EntityUid {
        uid(&self.role, id)
    }

    pub(crate) fn tenant(&self, id: &str) -> EntityUid {
        uid(&self.tenant, id)
    }

    pub(crate) fn model(&self, id: &str) -> EntityUid {
        uid(&self.model, id)
    }

    pub(crate) fn tool(&self, id: &str) -> EntityUid {
        uid(&self.tool, id)
    }

    pub(crate) fn server(&self, id: &str) -> EntityUid {
        uid(&self.server, id)
    }

    pub(crate) fn trail(&self, id: &str) -> EntityUid {
        uid(&self.trail, id)
    }

    pub(crate) fn resource(&self, id: &str) -> EntityUid {
        uid(&self.resource, id)
    }

    pub(crate) fn action(&self, id: &str) -> EntityUid {
        uid(&self.action, id)
    }

    /// The one entity that carries a call's arguments.
    pub(crate) fn parameters(&self) -> EntityUid {
        uid(&self.parameters, "call")
    }
}

/// Ids are data: they are set, never parsed, so nothing in them can turn into policy language.
fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}
