//! Who is who in the demo: two organisations, their people, and the agents that act for them.

/// The hospital.
pub(super) const HOSPITAL: &str = "st-elisabeth";
/// The sales team.
pub(super) const SALES: &str = "northwind-sales";
/// The tenants that the demo's identity provider may speak for.
pub(super) const TENANTS: [&str; 2] = [HOSPITAL, SALES];

/// A human, as the identity provider knows them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Person {
    pub(super) sub: &'static str,
    pub(super) name: &'static str,
    pub(super) email: &'static str,
    pub(super) tenant: &'static str,
    pub(super) role: &'static str,
    pub(super) scopes: &'static str,
}

/// Software that acts for a human.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Agent {
    pub(super) id: &'static str,
    pub(super) tier: &'static str,
}

/// Software that acts for itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Service {
    pub(super) id: &'static str,
    pub(super) tier: &'static str,
    pub(super) tenant: &'static str,
    pub(super) role: &'static str,
}

/// Whoever a token is made out to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    /// An agent, for a human.
    For(&'static Person, &'static Agent),
    /// Software on its own.
    Alone(&'static Service),
}

impl Caller {
    /// Whose trail its calls are on.
    pub(super) fn tenant(self) -> &'static str {
        match self {
            Caller::For(person, _) => person.tenant,
            Caller::Alone(service) => service.tenant,
        }
    }
}

const CARE: &str = "tool:ehr:read tool:ehr:write llm:invoke";
const CRM: &str = "tool:crm:read llm:invoke";

pub(super) static OKAFOR: Person = Person {
    sub: "okafor",
    name: "Amara Okafor",
    email: "a.okafor@elisabeth.example",
    tenant: HOSPITAL,
    role: "physician",
    scopes: CARE,
};
pub(super) static LINDQVIST: Person = Person {
    sub: "lindqvist",
    name: "Nils Lindqvist",
    email: "n.lindqvist@elisabeth.example",
    tenant: HOSPITAL,
    role: "physician",
    scopes: CARE,
};
pub(super) static MOREAU: Person = Person {
    sub: "moreau",
    name: "Claire Moreau",
    email: "c.moreau@elisabeth.example",
    tenant: HOSPITAL,
    role: "billing_clerk",
    scopes: "tool:ehr:invoices llm:invoke",
};
pub(super) static VANCE: Person = Person {
    sub: "vance",
    name: "Ruth Vance",
    email: "r.vance@elisabeth.example",
    tenant: HOSPITAL,
    role: "auditor",
    scopes: "",
};
pub(super) static SILVA: Person = Person {
    sub: "silva",
    name: "Rafael Silva",
    email: "r.silva@northwind.example",
    tenant: SALES,
    role: "sales_analyst",
    scopes: CRM,
};
pub(super) static KIM: Person = Person {
    sub: "kim",
    name: "Jiwoo Kim",
    email: "j.kim@northwind.example",
    tenant: SALES,
    role: "sales_analyst",
    scopes: CRM,
};
pub(super) static PETROV: Person = Person {
    sub: "petrov",
    name: "Irina Petrov",
    email: "i.petrov@northwind.example",
    tenant: SALES,
    role: "sales_manager",
    scopes: "tool:crm:read tool:crm:export llm:invoke",
};
pub(super) static REYES: Person = Person {
    sub: "reyes",
    name: "Sofia Reyes",
    email: "s.reyes@northwind.example",
    tenant: SALES,
    role: "auditor",
    scopes: "",
};

/// Everybody: each gets a token to try things with.
pub(super) static PEOPLE: [&Person; 8] =
    [&OKAFOR, &LINDQVIST, &MOREAU, &VANCE, &SILVA, &KIM, &PETROV, &REYES];

pub(super) static WARD_ASSISTANT: Agent = Agent { id: "ward-assistant", tier: "interactive" };
pub(super) static BILLING_ASSISTANT: Agent = Agent { id: "billing-assistant", tier: "interactive" };
pub(super) static CRM_ASSISTANT: Agent = Agent { id: "crm-assistant", tier: "interactive" };
pub(super) static AUDIT_DESK: Agent = Agent { id: "audit-desk", tier: "interactive" };

pub(super) static NIGHT_SUMMARISER: Service =
    Service { id: "night-summariser", tier: "background", tenant: HOSPITAL, role: "summariser" };
pub(super) static PIPELINE_DIGEST: Service =
    Service { id: "pipeline-digest", tier: "background", tenant: SALES, role: "digest" };
pub(super) static LAB_ROBOT: Service =
    Service { id: "lab-robot", tier: "api", tenant: HOSPITAL, role: "recorder" };

/// The agent that a person works with.
pub(super) fn agent_of(person: &Person) -> &'static Agent {
    match person.role {
        "physician" => &WARD_ASSISTANT,
        "billing_clerk" => &BILLING_ASSISTANT,
        "auditor" => &AUDIT_DESK,
        _ => &CRM_ASSISTANT,
    }
}

/// A person through the agent they work with.
pub(super) fn through_agent(person: &'static Person) -> Caller {
    Caller::For(person, agent_of(person))
}
