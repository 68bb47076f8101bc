//! Authorising a call: Greffier's evaluator, and plain Cedar over the same policies and facts.
//!
//! Four guards speak about every tool call: what inspection found, the network, the tier, the time. All other policies
//! let a role use a server if a scope says so, and one looks at a tool's arguments. The caller has three of the roles,
//! and two of them may use the server.
#![expect(clippy::unwrap_used, reason = "set-up of benchmarks")]

use std::hint::black_box;

use divan::Bencher;
use greffier_event::{Decision, DecisionKind, Principal, Target, Tenant, Timestamp};
use greffier_policy::{Policies, Question, SCHEMA};
use serde_json::{Value, json};

#[path = "../../crates/policy/src/plain.rs"]
mod plain;

use plain::{Asked, Plain};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SIZES: [usize; 2] = [50, 1_000];
const NOW: i64 = 1_772_807_527_891_234;
const FINDINGS: &[&str] = &["EMAIL_ADDRESS"];
const IP: &str = "10.1.2.3";
const TOOL: &str = "s7:contacts:search";
const GUARDS: &str = r#"
@id("no card numbers") forbid (principal, action == Action::"call_tool", resource)
when { context.findings.contains("CREDIT_CARD") };
@id("from our networks only") forbid (principal, action == Action::"call_tool", resource)
unless { context.source has ip && context.source.ip.isInRange(ip("10.0.0.0/8")) };
@id("background agents read only") forbid (principal, action == Action::"call_tool", resource)
when { context has tier && context.tier == "background" } unless { context.scopes.contains("read") };
@id("not at night") forbid (principal, action == Action::"call_tool", resource)
when { context.time.toTime() < duration("5h") };
@id("no bulk export") forbid (principal, action == Action::"call_tool", resource == Tool::"s9:contacts:search")
when { context.parameters.hasTag("format") && context.parameters.getTag("format") == "csv" };
"#;

fn main() {
    divan::main();
}

struct Case {
    policies: Policies,
    plain: Plain,
    principal: Principal,
    target: Target,
    arguments: Value,
}

impl Case {
    fn new(policies: usize) -> Case {
        let roles = policies - GUARDS.matches("@id").count();
        let text = (0..roles).map(|n| {
            let (role, server) = (n / 2, n % 20);
            format!(
                r#"@id("rule {n}") permit (principal in Role::"r{role}", action == Action::"call_tool", resource in Server::"s{server}")
                   when {{ context.scopes.contains("tools:s{server}") }};"#
            )
        });
        let texts = vec![("bench.cedar".to_owned(), text.chain([GUARDS.to_owned()]).collect::<String>())];
        let case = Case {
            plain: Plain::new(&texts, SCHEMA),
            policies: Policies::load(texts).unwrap(),
            principal: principal(),
            target: Target::Tool { server: "s7".to_owned(), name: TOOL.to_owned() },
            arguments: json!({"query": "pipeline", "limit": 20, "filter": {"owner": "bob"}}),
        };
        let (ours, theirs) = (case.decide(), case.plain.authorise(&case.plain.request(&case.asked())));
        assert_eq!((ours.kind, theirs.decision()), (DecisionKind::Allow, cedar_policy::Decision::Allow));
        case
    }

    fn decide(&self) -> Decision {
        let question = Question {
            channel: "gateway",
            target: &self.target,
            findings: FINDINGS,
            parameters: Some(&self.arguments),
            ip: Some(IP),
            now: Timestamp::from_micros(NOW),
        };
        self.policies.authorise(&self.principal, &question)
    }

    fn asked(&self) -> Asked<'_> {
        let tags = [
            ("query", "pipeline"),
            ("limit", "20"),
            ("filter", r#"{"owner":"bob"}"#),
            ("/filter/owner", "bob"),
        ];
        Asked {
            principal: &self.principal,
            action: "call_tool",
            resource: ("Tool", TOOL),
            of: Some("s7"),
            findings: FINDINGS,
            parameters: tags.map(|(name, text)| (name.to_owned(), text.to_owned())).into(),
            channel: "gateway",
            ip: Some(IP.to_owned()),
            now: Timestamp::from_micros(NOW),
        }
    }
}

fn principal() -> Principal {
    let strings = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    Principal {
        tenant: Tenant::new("acme").unwrap(),
        user: Some("auth0|8f3a2b1c9d4e5f6a".to_owned()),
        issuer: "https://idp.example".to_owned(),
        roles: strings(&["r3", "r13", "staff"]),
        scopes: strings(&["openid", "read", "tools:s7"]),
        email: None,
        agent: "crm-assistant".to_owned(),
        tier: Some("interactive".to_owned()),
        via: vec![],
        via_dropped: 0,
        session: None,
        client_id: None,
        token: None,
        verified: true,
        expires: Timestamp::from_micros(NOW),
    }
}

#[divan::bench(args = SIZES)]
fn greffier(bencher: Bencher<'_, '_>, policies: usize) {
    let case = Case::new(policies);
    bencher.bench(|| black_box(&case).decide());
}

/// Request and entities are made before.
#[divan::bench(args = SIZES)]
fn cedar_evaluation_alone(bencher: Bencher<'_, '_>, policies: usize) {
    let case = Case::new(policies);
    let request = case.plain.request(&case.asked());
    bencher.bench(|| case.plain.authorise(black_box(&request)));
}

#[divan::bench(args = SIZES)]
fn cedar_whole_call(bencher: Bencher<'_, '_>, policies: usize) {
    let case = Case::new(policies);
    bencher.bench(|| case.plain.authorise(&case.plain.request(&black_box(&case).asked())));
}
