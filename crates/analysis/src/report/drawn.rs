//! What is drawn: of the whole period, and of the populations in `rules.rs`.

use super::chart::{Drawn, Unit};
use crate::findings::{FindingKind, Severity};

/// Of the whole period, in this order.
pub(super) static OF_THE_PERIOD: [&Drawn; 2] = [&EVENTS, &DECISIONS];

static EVENTS: Drawn = Drawn {
    name: "events",
    title: "Events",
    only: "",
    by: "",
    values: || {
        vec![
            ("governed", "count(*) FILTER (WHERE channel IN ('gateway', 'hook'))".to_owned()),
            ("claims_of_others", "count(*) FILTER (WHERE channel IN ('sdk', 'otlp', 'import'))".to_owned()),
        ]
    },
    unit: Unit::Count,
};

static DECISIONS: Drawn = Drawn {
    name: "decisions",
    title: "Calls decided",
    only: "channel IN ('gateway', 'hook') AND (agent_id IS DISTINCT FROM 'greffier') AND type IN ('action.approved', 'action.denied')",
    by: "",
    values: || {
        let decided = |decision: &str| format!("count(*) FILTER (WHERE decision = '{decision}')");
        vec![("allowed", decided("allow")), ("redacted", decided("redact")), ("denied", decided("deny"))]
    },
    unit: Unit::Count,
};

pub(super) static DENIALS: Drawn = Drawn {
    name: "denials",
    title: "Denials",
    only: "",
    by: "",
    values: || vec![("denials", "count(*)".to_owned())],
    unit: Unit::Count,
};

pub(super) static COST: Drawn = Drawn {
    name: "cost_by_agent",
    title: "Cost of models by agent, US dollars, of the whole period",
    only: "cost_micros > 0",
    by: "coalesce(agent_id, '(no agent)')",
    values: || vec![("cost_micros", "sum(cost_micros)".to_owned())],
    unit: Unit::UsdMicros,
};

/// The rule is the fourth part of `audit://<trail>/findings/<rule>/<id>`.
const FINDING_RULE: &str = "split_part(resource_uri, '/', 5)";

pub(super) static FINDINGS: Drawn = Drawn {
    name: "findings_by_rule",
    title: "Findings by rule and severity, of the whole period",
    only: "action_name = 'finding:raise'",
    by: FINDING_RULE,
    values: || {
        let of = |severity: Severity| {
            let kinds = FindingKind::ALL.into_iter().filter(|kind| kind.severity() == severity);
            let kinds: Vec<String> = kinds.map(|kind| format!("'{}'", kind.as_str())).collect();
            format!("count(*) FILTER (WHERE {FINDING_RULE} IN ({}))", kinds.join(", "))
        };
        vec![("low", of(Severity::Low)), ("medium", of(Severity::Medium)), ("high", of(Severity::High))]
    },
    unit: Unit::Count,
};
