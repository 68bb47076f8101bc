//! Plain Cedar: every request built from expressions and validated, every policy evaluated. What [`crate`] decides is
//! held against it in tests, and measured beside it.

use std::collections::{BTreeMap, HashSet};

use cedar_policy::{
    Authorizer, Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Policy, PolicyId, PolicySet,
    Request, Response, RestrictedExpression, Schema,
};
use greffier_event::{Principal, Timestamp};

/// Policies as Cedar reads them.
pub(crate) struct Plain {
    set: PolicySet,
    schema: Schema,
}

/// What is asked, in the words of the schema.
pub(crate) struct Asked<'a> {
    pub(crate) principal: &'a Principal,
    pub(crate) action: &'a str,
    /// Type and id.
    pub(crate) resource: (&'a str, &'a str),
    /// The server of a tool, the tenant of a trail.
    pub(crate) of: Option<&'a str>,
    pub(crate) findings: &'a [&'a str],
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) channel: &'a str,
    /// In the form in which policies meet it.
    pub(crate) ip: Option<String>,
    pub(crate) now: Timestamp,
}

impl Plain {
    /// Each policy goes by its `@id`.
    pub(crate) fn new(texts: &[(String, String)], schema: &str) -> Plain {
        let sets = texts.iter().map(|(_, text)| text.parse::<PolicySet>().unwrap());
        let policies: Vec<Policy> = sets
            .flat_map(|set| {
                let named = |policy: &Policy| policy.new_id(PolicyId::new(policy.annotation("id").unwrap()));
                set.policies().map(named).collect::<Vec<_>>()
            })
            .collect();
        let (schema, _) = Schema::from_cedarschema_str(schema).unwrap();
        Plain { set: PolicySet::from_policies(policies).unwrap(), schema }
    }

    /// Request and entities, held against the schema.
    pub(crate) fn request(&self, asked: &Asked<'_>) -> (Request, Entities) {
        let (principal, resource) = (principal(asked.principal), resource(asked));
        let tags = asked.parameters.iter().map(|(name, text)| (name.clone(), string(text)));
        let parameters = Entity::new_with_tags(uid("Parameters", "call"), [], [], tags).unwrap();
        let request = Request::new(
            principal.uid(),
            uid("Action", asked.action),
            resource.uid(),
            context(asked),
            Some(&self.schema),
        );
        let entities = Entities::from_entities([principal, resource, parameters], None).unwrap();
        (request.unwrap(), entities)
    }

    pub(crate) fn authorise(&self, (request, entities): &(Request, Entities)) -> Response {
        Authorizer::new().is_authorized(request, &self.set, entities)
    }
}

fn principal(principal: &Principal) -> Entity {
    let uid_of = match &principal.user {
        Some(user) => uid("User", user),
        None => uid("Service", principal.client_id.as_ref().unwrap_or(&principal.agent)),
    };
    let roles = principal.roles.iter().map(|role| uid("Role", role));
    let attributes = [
        ("issuer".to_owned(), string(&principal.issuer)),
        ("verified".to_owned(), RestrictedExpression::new_bool(principal.verified)),
    ];
    let parents = roles.chain([uid("Tenant", principal.tenant.as_str())]).collect();
    Entity::new(uid_of, attributes.into(), parents).unwrap()
}

fn resource(asked: &Asked<'_>) -> Entity {
    let uid_of = uid(asked.resource.0, asked.resource.1);
    match (asked.resource.0, asked.of) {
        ("Tool", Some(server)) => Entity::new_no_attrs(uid_of, [uid("Server", server)].into()),
        ("Trail", Some(tenant)) => {
            let tenant = RestrictedExpression::new_entity_uid(uid("Tenant", tenant));
            Entity::new(uid_of, [("tenant".to_owned(), tenant)].into(), HashSet::new()).unwrap()
        }
        _ => Entity::new_no_attrs(uid_of, HashSet::new()),
    }
}

fn context(asked: &Asked<'_>) -> Context {
    let principal = asked.principal;
    let ip = asked.ip.iter().map(|ip| ("ip".to_owned(), RestrictedExpression::new_ip(ip)));
    let source = [("channel".to_owned(), string(asked.channel))].into_iter().chain(ip);
    let parameters = RestrictedExpression::new_entity_uid(uid("Parameters", "call"));
    let time = asked.now.to_string();
    let time = format!("{}Z", time.get(..time.len() - "000Z".len()).unwrap());
    let tier = principal.tier.iter().map(|tier| ("tier".to_owned(), string(tier)));
    let pairs = [
        ("agent", string(&principal.agent)),
        ("via", set(principal.via.iter().map(|actor| actor.sub.as_str()))),
        ("scopes", set(principal.scopes.iter().map(String::as_str))),
        ("parameters", parameters),
        ("findings", set(asked.findings.iter().copied())),
        ("time", RestrictedExpression::new_datetime(time)),
        ("source", RestrictedExpression::new_record(source).unwrap()),
    ];
    Context::from_pairs(pairs.map(|(name, value)| (name.to_owned(), value)).into_iter().chain(tier)).unwrap()
}

fn uid(kind: &str, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.parse::<EntityTypeName>().unwrap(), EntityId::new(id))
}

fn string(text: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(text.to_owned())
}

fn set<'a>(texts: impl Iterator<Item = &'a str>) -> RestrictedExpression {
    RestrictedExpression::new_set(texts.map(string))
}
