//! The controls that are a population and what must not be in it: one table, read by people who audit the auditors' tool.
//!
//! `OURS` is what Greffier does itself; a call is governed where Greffier decided it (`gateway`, `hook`), and all else is
//! a claim of its producer.

use super::assessment::Verdict::{Gap, NotAssessed};
use super::control::On::{Node, Trail};
use super::control::{Joined, Rule};
use super::drawn;

macro_rules! decided {
    () => {
        "type IN ('action.approved', 'action.denied') AND channel IN ('gateway', 'hook') AND (agent_id IS DISTINCT FROM 'greffier')"
    };
}
macro_rules! ended {
    () => {
        "type IN ('action.executed', 'action.failed') AND channel IN ('gateway', 'hook') AND (agent_id IS DISTINCT FROM 'greffier')"
    };
}

pub(crate) const NOTHING: Rule = Rule {
    name: "",
    on: Trail,
    scope: "",
    fails: "",
    none: NotAssessed,
    afterwards: false,
    says: "",
    fails_if: "nothing: it is shown for people to judge",
    figures: "",
    by: "",
    groups: 0,
    drawn: None,
};

pub(crate) static ATTRIBUTED: Rule = Rule {
    name: "attributed",
    scope: decided!(),
    fails: "NOT coalesce(user_verified, agent_verified, false)",
    says: "Every call that was decided is tied to a user, or to a service, whose token was verified.",
    fails_if: "a decided call has neither a verified user nor, without a user, a verified service",
    figures: "count(DISTINCT user_sub) AS users, count(DISTINCT agent_id) AS agents, count(*) FILTER (WHERE user_sub IS NULL) AS by_services",
    by: "coalesce(user_sub, '(service)') AS user, agent_id AS agent",
    groups: 2,
    ..NOTHING
};

pub(crate) static RULED: Rule = Rule {
    name: "ruled",
    scope: "type = 'action.approved' AND channel IN ('gateway', 'hook') AND (agent_id IS DISTINCT FROM 'greffier')",
    fails: "rule IS NULL OR policy_version IS NULL",
    says: "Every permitted call names the rule that permitted it, and the version of the policies.",
    fails_if: "a permitted call names no rule, or no version of the policies",
    figures: "count(DISTINCT rule) AS rules, count(DISTINCT policy_version) AS versions",
    by: "rule",
    groups: 1,
    ..NOTHING
};

pub(crate) static ENFORCED: Rule = Rule {
    name: "enforced",
    scope: ended!(),
    fails: "decision IS NULL OR decision NOT IN ('allow', 'redact')",
    says: "Nothing was carried out that had not been permitted before.",
    fails_if: "a call was carried out whose decision is not allow or redact",
    figures: "count(*) FILTER (WHERE status = 'success') AS succeeded, count(*) FILTER (WHERE status = 'unknown') AS outcome_unknown",
    ..NOTHING
};

pub(crate) static DENIED: Rule = Rule {
    name: "denied",
    scope: "type IN ('action.denied', 'permission.denied')",
    fails: "reason IS NULL AND rule IS NULL",
    says: "What was denied is on record, with the reason.",
    fails_if: "a denial is on record without a reason",
    figures: "count(DISTINCT user_sub) AS users",
    by: "coalesce(rule, reason) AS because, coalesce(user_sub, agent_id) AS who",
    groups: 2,
    drawn: Some(&drawn::DENIALS),
    ..NOTHING
};

pub(crate) static PROTECTED: Rule = Rule {
    name: "protected",
    scope: "pii_detected AND action_kind = 'llm' AND type IN ('action.approved', 'action.denied') AND (agent_id IS DISTINCT FROM 'greffier')",
    fails: "decision = 'allow'",
    says: "Whatever was detected in what models were asked was redacted, or the call was denied.",
    fails_if: "sensitive data was detected in a question to a model, and passed as it was",
    figures: "count(*) FILTER (WHERE decision = 'redact') AS redacted, count(*) FILTER (WHERE decision = 'deny') AS denied",
    by: "array_to_string(redaction_types, ', ') AS detected, decision",
    groups: 2,
    ..NOTHING
};

pub(crate) static DETECTED: Rule = Rule {
    name: "detected",
    scope: "pii_detected AND type IN ('action.approved', 'action.denied', 'action.executed') AND (agent_id IS DISTINCT FROM 'greffier')",
    says: "Sensitive data was looked for in what tools and models were given and gave, and what was found is on record by type and place.",
    by: "array_to_string(redaction_types, ', ') AS detected, action_kind AS kind, decision",
    groups: 3,
    ..NOTHING
};

pub(crate) static CLASS_ATTRIBUTED: Rule = Rule {
    name: "class_attributed",
    scope: "array_has(resource_classification, '{class}') AND type IN ('action.approved', 'action.denied')",
    fails: "user_sub IS NULL OR NOT coalesce(user_verified, false)",
    says: "Each use of data of class `{class}` is tied to one verified person.",
    fails_if: "data of class `{class}` was asked for by nobody in particular, or by somebody whose token was not verified",
    figures: "count(DISTINCT user_sub) AS users, count(*) FILTER (WHERE decision = 'deny') AS denied",
    by: "user_sub AS user, agent_id AS agent, action_name AS call, decision",
    groups: 4,
    ..NOTHING
};

pub(crate) static CLASS_SUBJECTS: Rule = Rule {
    name: "class_subjects",
    scope: "array_has(resource_classification, '{class}') AND type = 'action.executed'",
    fails: "coalesce(array_length(resource_subjects), 0) = 0",
    says: "Each use of data of class `{class}` names whom the data is about, by reference.",
    fails_if: "data of class `{class}` was used, and the record does not say whose",
    by: "action_name AS call, user_sub AS user, agent_id AS agent",
    groups: 3,
    ..NOTHING
};

pub(crate) static AUDIT_READS: Rule = Rule {
    name: "audit_reads",
    scope: "resource_uri LIKE 'audit://%' AND type = 'data.access'",
    fails: "rule IS NULL",
    says: "Who reads the trail through the server is on the trail, with the rule that let them.",
    fails_if: "a read of the trail is on record without the rule that permitted it (reads of the files themselves leave no event)",
    figures: "count(DISTINCT user_sub) AS readers",
    by: "coalesce(user_sub, '(service)') AS reader, action_name AS what",
    groups: 2,
    ..NOTHING
};

pub(crate) static ADMIN: Rule = Rule {
    name: "admin_acts",
    scope: "agent_id = 'greffier' AND action_kind = 'admin' AND type IN ('data.modify', 'action.request', 'action.approved', 'action.denied', 'action.executed')",
    says: "What people and Greffier itself changed about the trail is on record.",
    by: "coalesce(user_sub, '(greffier)') AS who, action_name AS what",
    groups: 2,
    ..NOTHING
};

pub(crate) static NODE_ADMIN: Rule = Rule {
    name: "node_changes",
    on: Node,
    scope: "type = 'data.modify' OR action_name IN ('policy:rejected')",
    none: Gap,
    says: "Configuration and policies in force, and their changes, are on the node's trail.",
    fails_if: "nothing says which configuration and policies were in force",
    by: "action_name AS what, resource_uri AS which",
    groups: 2,
    ..NOTHING
};

pub(crate) static LIFECYCLE: Rule = Rule {
    name: "starts_and_stops",
    on: Node,
    scope: "action_name IN ('node:start', 'node:stop', 'node:unclean_stop')",
    fails: "action_name = 'node:unclean_stop'",
    says: "Each start and stop of the recorder is on record, and each stop was clean.",
    fails_if: "the recorder stopped without saying so",
    by: "action_name AS what",
    groups: 1,
    ..NOTHING
};

pub(crate) static CLOCK: Rule = Rule {
    name: "clock",
    on: Node,
    scope: "action_name IN ('node:heartbeat', 'node:clock_step')",
    fails: "action_name = 'node:clock_step' OR error = 'clock_moved'",
    says: "The node's clock did not step, and kept with its steady clock, in each heartbeat.",
    fails_if: "the clock stepped by more than two seconds",
    ..NOTHING
};

pub(crate) static IN_TIME: Rule = Rule {
    name: "recorded_in_time",
    scope: "channel IN ('gateway', 'hook') AND (agent_id IS DISTINCT FROM 'greffier')",
    fails: "recorded_at > time + INTERVAL '1 hour' OR recorded_at < time - INTERVAL '5 minutes'",
    says: "What Greffier decided was recorded when it happened.",
    fails_if: "a governed event was recorded over an hour after its time, or over five minutes before it",
    ..NOTHING
};

pub(crate) static UNRECORDED: Rule = Rule {
    name: "no_gaps",
    scope: "channel = 'gateway' AND ((agent_id IS DISTINCT FROM 'greffier') OR action_name = 'gap')",
    fails: "action_name = 'gap'",
    says: "No call went on unrecorded.",
    fails_if: "a gap is on record: calls went on while nothing could be recorded",
    ..NOTHING
};

pub(crate) static FIELDS: Rule = Rule {
    name: "fields",
    scope: "type IN ('action.executed', 'action.failed', 'action.denied') AND channel IN ('gateway', 'hook') AND (agent_id IS DISTINCT FROM 'greffier')",
    fails: "coalesce(user_sub, agent_id) IS NULL OR status IS NULL OR coalesce(ip, client) IS NULL OR coalesce(resource_uri, action_name) IS NULL",
    says: "Each entry says who, what, when, with what outcome, from where, and about what.",
    fails_if: "an entry lacks identity, type, time, outcome, origin, or the name of what was acted on",
    figures: "count(*) FILTER (WHERE coalesce(user_sub, agent_id) IS NULL) AS no_identity, count(*) FILTER (WHERE status IS NULL) AS no_outcome, \
              count(*) FILTER (WHERE coalesce(ip, client) IS NULL) AS no_origin, count(*) FILTER (WHERE resource_uri IS NULL) AS no_resource",
    ..NOTHING
};

pub(crate) static REFUSED_TOKENS: Rule = Rule {
    name: "refused_identities",
    on: Node,
    scope: "resource_uri LIKE 'audit://identity/%'",
    says: "Callers whom nobody vouches for were refused, and that is on the node's trail.",
    by: "resource_uri AS entrance, coalesce(error, reason) AS because",
    groups: 2,
    ..NOTHING
};

pub(crate) static KEYS: Rule = Rule {
    name: "keys",
    on: Node,
    scope: "resource_uri LIKE 'key://%'",
    says: "Changes of signing keys are on the node's trail.",
    by: "action_name AS what, resource_uri AS which",
    groups: 2,
    ..NOTHING
};

pub(crate) static MODELS: Rule = Rule {
    name: "recipients",
    scope: "action_kind = 'llm' AND type = 'action.executed' AND channel = 'gateway'",
    fails: "provider IS NULL OR model IS NULL",
    says: "Of each answer of a model the provider and the model are known.",
    fails_if: "a model answered, and the record does not say which, or whose",
    by: "provider, model, sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens, sum(cost_micros) AS cost_micros",
    groups: 2,
    drawn: Some(&drawn::COST),
    ..NOTHING
};

pub(crate) static PROCESSING: Rule = Rule {
    name: "processing",
    scope: "type = 'action.executed' AND (agent_id IS DISTINCT FROM 'greffier') AND channel IN ('gateway', 'hook')",
    fails: "agent_id IS NULL",
    says: "Each processing names the agent, the categories of data that are configured, and the recipient.",
    fails_if: "something was processed by no agent in particular",
    by: "agent_id AS agent, array_to_string(resource_classification, ', ') AS categories, coalesce(provider, split_part(action_name, ':', 1)) AS recipient, \
         count(DISTINCT user_sub) AS users",
    groups: 3,
    ..NOTHING
};

pub(crate) static SYSTEMS: Rule = Rule {
    name: "systems",
    scope: "(agent_id IS DISTINCT FROM 'greffier') AND agent_id IS NOT NULL",
    says: "Each agent in use leaves events, with when it was first and last seen in the period.",
    by: "agent_id AS agent, channel, min(time) AS first_seen, max(time) AS last_seen, count(DISTINCT session_id) AS sessions",
    groups: 2,
    ..NOTHING
};

pub(crate) static UNREPORTED: Rule = Rule {
    name: "enforced_share",
    scope: "(agent_id IS DISTINCT FROM 'greffier')",
    says: "What is enforced and what is only claimed is told apart.",
    figures: "count(*) FILTER (WHERE channel = 'gateway') AS gateway, count(*) FILTER (WHERE channel = 'hook') AS hook, \
              count(*) FILTER (WHERE channel IN ('sdk', 'otlp', 'import')) AS claimed",
    by: "channel, coalesce(agent_id, '(none)') AS agent",
    groups: 2,
    ..NOTHING
};

pub(crate) static TRACEABLE: Rule = Rule {
    name: "traceable",
    scope: decided!(),
    fails: "session_id IS NULL AND trace_id IS NULL",
    says: "Each call belongs to a session or a trace, so that what led to it can be rebuilt.",
    fails_if: "a call belongs to no session and no trace",
    figures: "count(DISTINCT session_id) AS sessions, count(DISTINCT trace_id) AS traces",
    ..NOTHING
};

pub(crate) static MONITORED: Rule = Rule {
    name: "monitored",
    scope: "agent_id = 'greffier' AND action_name LIKE 'finding:%'",
    says: "What detection found is on the trail, with what people made of it.",
    fails_if: "nothing by itself: findings are shown for people to judge (`greffier findings` computes them anew)",
    by: "action_name AS what",
    groups: 1,
    drawn: Some(&drawn::FINDINGS),
    ..NOTHING
};

pub(crate) static REVIEWED: Rule = Rule {
    name: "reviewed",
    scope: "action_name = 'review:report'",
    none: Gap,
    afterwards: true,
    says: "Somebody reviewed the records of the period, and signed it off.",
    fails_if: "nobody has signed off a review since the period began (`greffier report sign-off`)",
    by: "user_sub AS reviewer, resource_uri AS what",
    groups: 2,
    ..NOTHING
};

pub(crate) static ACCESS_REVIEWED: Rule = Rule {
    name: "access_reviewed",
    scope: "action_name = 'review:access'",
    none: Gap,
    afterwards: true,
    says: "Somebody reviewed who may do what, and signed it off.",
    fails_if: "nobody has signed off an access review since the period began (`greffier report access-review`)",
    by: "user_sub AS reviewer",
    groups: 1,
    ..NOTHING
};

pub(crate) static OVERSIGHT: Rule = Rule {
    name: "oversight",
    scope: "action_name LIKE 'review:%' OR action_name IN ('break_glass', 'approve:policy') OR (type = 'action.approved' AND agent_id = 'greffier')",
    fails: "user_sub IS NULL",
    says: "People reviewed, approved and intervened, each by name.",
    fails_if: "an approval or a review is on record that no person gave",
    by: "action_name AS what, user_sub AS person",
    groups: 2,
    ..NOTHING
};

pub(crate) static EXPIRED: Rule = Rule {
    name: "expiry",
    scope: "resource_uri LIKE 'audit://%/parts/before/%' OR resource_uri LIKE 'audit://%/entries/before/%' OR resource_uri LIKE 'audit://%/retention/%'",
    says: "What was let go because its time was over is on record.",
    by: "action_name AS what, resource_uri AS which",
    groups: 2,
    ..NOTHING
};

pub(crate) static EXPORTED: Rule = Rule {
    name: "exports",
    scope: "action_name IN ('trail:export', 'trail:evidence', 'trail:report', 'subject:access')",
    says: "Whatever left the trail through the server is on record, with who took it.",
    by: "action_name AS what, coalesce(user_sub, '(service)') AS who",
    groups: 2,
    ..NOTHING
};

pub(crate) static CALLS_END: Joined = Joined {
    name: "calls_end",
    start: "type = 'action.approved' AND channel IN ('gateway', 'hook') AND (agent_id IS DISTINCT FROM 'greffier')",
    end: "type IN ('action.executed', 'action.failed') AND channel IN ('gateway', 'hook')",
    // A model may take minutes; what is still open after an hour is no call under way.
    grace: 3_600,
    none: NotAssessed,
    says: "Every permitted call has its outcome on record.",
    fails_if: "a call was permitted over an hour ago, and its outcome is not on record",
};

pub(crate) static ERASURES_END: Joined = Joined {
    name: "erasures",
    start: "action_name = 'erase' AND type = 'action.request'",
    end: "action_name = 'erase' AND type IN ('action.executed', 'action.denied')",
    // A month is what Article 12(3) gives; a request that young is not late.
    grace: 30 * 86_400,
    none: NotAssessed,
    says: "Every erasure that was asked for over 30 days ago was carried out, or denied by a second person.",
    fails_if: "an erasure was asked for over 30 days ago, and is neither carried out nor denied",
};

pub(crate) static ERASED: Rule = Rule {
    name: "erasure_proofs",
    scope: "action_name = 'erase' AND agent_id = 'greffier' AND type IN ('action.request', 'action.approved', 'action.denied', 'action.executed')",
    says: "Each erasure is on record: who asked, who approved, and that it was done; the entries stay, and prove that nothing else went.",
    by: "resource_uri AS target, type, coalesce(user_sub, '(greffier)') AS who",
    groups: 3,
    ..NOTHING
};

pub(crate) static BREAK_GLASS: Joined = Joined {
    name: "break_glass",
    start: "action_name = 'break_glass'",
    end: "action_name = 'review:break_glass'",
    // A week to look at what was done in an emergency.
    grace: 7 * 86_400,
    none: NotAssessed,
    says: "Each use of emergency access over a week ago was reviewed.",
    fails_if: "emergency access was taken over a week ago, and nobody reviewed it",
};

pub(crate) static USED: Rule = Rule {
    name: "in_use",
    scope: ended!(),
    none: NotAssessed,
    says: "Events are logged while the systems are in use.",
    figures: "count(DISTINCT agent_id) AS agents, median(duration_us) AS median_us, max(duration_us) AS max_us",
    by: "action_kind AS kind, action_name AS call, count(*) FILTER (WHERE status <> 'success') AS failed",
    groups: 2,
    ..NOTHING
};
