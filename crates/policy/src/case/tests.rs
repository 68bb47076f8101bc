//! The same answers as plain Cedar, for random policies and random cases.

use std::collections::BTreeMap;

use cedar_policy::{AuthorizationError, Decision as CedarDecision, Response};
use greffier_event::{Actor, Tenant};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::json;

use super::*;
use crate::plain::{Asked, Plain};
use crate::{AdminAction, SCHEMA};

const ROLES: &[&str] = &["r0", "r1", "r2", "r3"];
const TENANTS: &[&str] = &["t0", "t1"];
const PEOPLE: &[&str] = &["p0", "p1", "p2"];
const SERVERS: &[&str] = &["s0", "s1", "s2"];
const TOOLS: &[&str] = &["s0:x", "s0:y", "s1:x"];
const MODELS: &[&str] = &["m0", "m1"];
const TRAILS: &[&str] = &["t0", "t1", "greffier"];
const SCOPES: &[&str] = &["a", "b", "c"];
const FINDINGS: &[&str] = &["US_SSN", "CREDIT_CARD"];
const ADDRESSES: &[&str] = &["10.1.2.3", "::ffff:10.1.2.3", "192.0.2.7", "2001:db8::1"];
const TIMES: &[&str] =
    &["1969-12-31T23:59:59.999999Z", "2026-03-06T00:00:00.000999Z", "2026-03-06T14:32:07.891234Z"];
const ACTIONS: &[&str] = &[
    "invoke_model",
    "call_tool",
    "read_resource",
    "read_trail",
    "export_trail",
    "ingest",
    "erase",
    "approve",
    "manage",
    "attest",
];
/// Each can hold and not hold, or err and not err.
const CONDITIONS: &[&str] = &[
    r#"context.scopes.contains("a")"#,
    r#"context.scopes.containsAny(["b", "c"])"#,
    r#"context.findings.contains("US_SSN")"#,
    r#"context.findings == ["CREDIT_CARD", "US_SSN"]"#,
    r#"context.via.isEmpty()"#,
    r#"context.agent == "agent-0""#,
    r#"context has tier && context.tier like "back*""#,
    r#"context.parameters.hasTag("q") && context.parameters.getTag("q") == "1""#,
    r#"context.source has ip && context.source.ip.isInRange(ip("10.0.0.0/8"))"#,
    r#"context.source.channel == "api""#,
    r#"context.time == datetime("2026-03-06T14:32:07.891Z")"#,
    r#"context.time.toTime() < duration("1h")"#,
    r#"context.time < datetime("1970-01-01")"#,
    r#"principal.verified"#,
    r#"principal.issuer == "i0""#,
    r#"principal in Role::"r0""#,
    r#"principal in [Role::"r1", Role::"r2"] || principal in Tenant::"t1""#,
    r#"principal is User in Tenant::"t0""#,
    r#"resource in Server::"s0""#,
    r#"resource == Tool::"s0:x""#,
    r#"action in [Action::"call_tool", Action::"ingest"]"#,
    r#"resource is Trail && principal in resource.tenant"#,
    // Overflows, unless it is the first millisecond of a day.
    r#"context.time.toTime().toMilliseconds() * 9223372036854775807 < 0"#,
    r#"context.scopes.contains("c") && context.time.toTime().toMilliseconds() * 9223372036854775807 == 1"#,
    r#"9223372036854775807 + (if context.agent == "agent-1" then 1 else 0) > 0"#,
];

fn entity(kind: &'static str, ids: &'static [&'static str]) -> impl Strategy<Value = String> {
    select(ids).prop_map(move |id| format!("{kind}::\"{id}\""))
}

fn principal_scope() -> impl Strategy<Value = String> {
    let who = || prop_oneof![entity("User", PEOPLE), entity("Service", PEOPLE)];
    let group = || prop_oneof![3 => entity("Role", ROLES), 1 => entity("Tenant", TENANTS), 1 => who()];
    let kind = || select(&["User", "Service"]);
    prop_oneof![
        3 => Just("principal".to_owned()),
        1 => who().prop_map(|who| format!("principal == {who}")),
        4 => group().prop_map(|group| format!("principal in {group}")),
        1 => kind().prop_map(|kind| format!("principal is {kind}")),
        1 => (kind(), group()).prop_map(|(kind, group)| format!("principal is {kind} in {group}")),
    ]
}

fn action_scope() -> impl Strategy<Value = String> {
    let one = || entity("Action", ACTIONS);
    prop_oneof![
        2 => Just("action".to_owned()),
        3 => one().prop_map(|one| format!("action == {one}")),
        1 => one().prop_map(|one| format!("action in {one}")),
        2 => prop::collection::vec(one(), 1..6).prop_map(|some| format!("action in [{}]", some.join(", "))),
    ]
}

fn resource_scope() -> impl Strategy<Value = String> {
    let thing = || prop_oneof![entity("Tool", TOOLS), entity("Model", MODELS), entity("Trail", TRAILS)];
    let group = || prop_oneof![4 => entity("Server", SERVERS), 1 => thing()];
    let kind = || select(&["Tool", "Model", "Trail", "Resource"]);
    prop_oneof![
        4 => Just("resource".to_owned()),
        2 => thing().prop_map(|thing| format!("resource == {thing}")),
        2 => group().prop_map(|group| format!("resource in {group}")),
        1 => kind().prop_map(|kind| format!("resource is {kind}")),
        1 => (kind(), group()).prop_map(|(kind, group)| format!("resource is {kind} in {group}")),
    ]
}

/// All but the `@id`.
fn policy() -> impl Strategy<Value = String> {
    let effect = prop_oneof![2 => Just("permit"), 1 => Just("forbid")];
    let clause = (select(&["when", "unless"]), select(CONDITIONS));
    let clauses =
        prop::collection::vec(clause.prop_map(|(word, holds)| format!("{word} {{ {holds} }}")), 0..3);
    (effect, principal_scope(), action_scope(), resource_scope(), clauses).prop_map(
        |(effect, principal, action, resource, clauses)| {
            format!("{effect} ({principal}, {action}, {resource}) {};", clauses.join(" "))
        },
    )
}

#[derive(Clone, Debug)]
enum Wanted {
    Model(&'static str),
    Tool(&'static str, &'static str),
    Trail(AdminAction, &'static str),
}

#[derive(Clone, Debug)]
struct Sample {
    principal: Principal,
    wanted: Wanted,
    findings: Vec<&'static str>,
    parameters: Option<Json>,
    ip: Option<&'static str>,
    now: Timestamp,
}

fn owned(texts: Vec<&'static str>) -> Vec<String> {
    texts.into_iter().map(str::to_owned).collect()
}

fn principals() -> impl Strategy<Value = Principal> {
    let who = (prop::option::of(select(PEOPLE)), prop::option::of(select(PEOPLE)), any::<bool>());
    let groups =
        (subsequence(ROLES, 0..=ROLES.len()), select(TENANTS), subsequence(SCOPES, 0..=SCOPES.len()));
    let software = (
        select(&["agent-0", "agent-1", "p1"]),
        prop::option::of(select(&["background", "interactive"])),
        subsequence(&["planner", "router"], 0..=2),
        select(&["i0", "i1"]),
    );
    (who, groups, software).prop_map(
        |((user, client, verified), (roles, tenant, scopes), (agent, tier, via, issuer))| Principal {
            tenant: Tenant::new(tenant).unwrap(),
            user: user.map(str::to_owned),
            issuer: issuer.to_owned(),
            roles: owned(roles),
            scopes: owned(scopes),
            email: None,
            agent: agent.to_owned(),
            tier: tier.map(str::to_owned),
            via: owned(via).into_iter().map(|sub| Actor { iss: None, sub }).collect(),
            via_dropped: 0,
            session: None,
            client_id: client.map(str::to_owned),
            token: None,
            verified,
            expires: Timestamp::from_micros(0),
        },
    )
}

fn sample() -> impl Strategy<Value = Sample> {
    let admin = [
        AdminAction::ReadTrail,
        AdminAction::ExportTrail,
        AdminAction::Ingest,
        AdminAction::Erase,
        AdminAction::Approve,
        AdminAction::Manage,
    ];
    let wanted = prop_oneof![
        1 => select(MODELS).prop_map(Wanted::Model),
        3 => (select(SERVERS), select(TOOLS)).prop_map(|(server, tool)| Wanted::Tool(server, tool)),
        1 => (select(admin.to_vec()), select(TRAILS)).prop_map(|(action, trail)| Wanted::Trail(action, trail)),
    ];
    let arguments = select(vec![json!({"q": 1}), json!({"q": "2", "/q": [1]}), json!([]), json!({})]);
    let circumstances = (
        subsequence(FINDINGS, 0..=FINDINGS.len()),
        prop::option::of(arguments),
        prop::option::of(select(ADDRESSES)),
        select(TIMES),
    );
    (principals(), wanted, circumstances).prop_map(|(principal, wanted, (findings, parameters, ip, now))| {
        Sample { principal, wanted, findings, parameters, ip, now: now.parse().unwrap() }
    })
}

impl Sample {
    fn case<'a>(&'a self, policies: &Policies) -> Case<'a> {
        let names = &policies.names;
        let (action, resource, channel) = match self.wanted {
            Wanted::Model(name) => ("invoke_model", Entity::with_uid(names.model(name)), "gateway"),
            Wanted::Tool(server, name) => {
                ("call_tool", within(names.server(server), names.tool(name)), "gateway")
            }
            Wanted::Trail(action, trail) => {
                (action.name(), trail_of(names.tenant(trail), names.trail(trail)), "api")
            }
        };
        let Sample { principal, findings, parameters, ip, now, .. } = self;
        let parameters = parameters.as_ref();
        Case {
            needs_permit: true,
            principal,
            action,
            resource,
            findings,
            parameters,
            channel,
            ip: *ip,
            now: *now,
        }
    }

    fn asked(&self) -> Asked<'_> {
        let (action, resource, of, channel) = match self.wanted {
            Wanted::Model(name) => ("invoke_model", ("Model", name), None, "gateway"),
            Wanted::Tool(server, name) => ("call_tool", ("Tool", name), Some(server), "gateway"),
            Wanted::Trail(action, trail) => (action.name(), ("Trail", trail), Some(trail), "api"),
        };
        let parameters =
            self.parameters.as_ref().map_or_else(BTreeMap::new, |given| parameters::flatten(given).unwrap());
        let ip = self.ip.map(|ip| ip.parse::<IpAddr>().unwrap().to_canonical().to_string());
        let Sample { principal, findings, now, .. } = self;
        Asked { principal, action, resource, of, findings, parameters, channel, ip, now: *now }
    }
}

/// What plain Cedar says, in our terms.
fn verdict(response: &Response) -> Verdict<'_> {
    let permitted = response.decision() == CedarDecision::Allow;
    let mut deciding: Vec<&str> = response.diagnostics().reason().map(AsRef::as_ref).collect();
    let mut erred: Vec<&str> = response.diagnostics().errors().map(in_error).collect();
    deciding.sort_unstable();
    erred.sort_unstable();
    Verdict { permitted, deciding, erred }
}

fn in_error(error: &AuthorizationError) -> &str {
    match error {
        AuthorizationError::PolicyEvaluationError(error) => error.policy_id().as_ref(),
    }
}

fn text(policies: &[String]) -> Vec<(String, String)> {
    let named = |(n, policy): (usize, &String)| format!("@id(\"policy {n}\") {policy}\n");
    vec![("test.cedar".to_owned(), policies.iter().enumerate().map(named).collect())]
}

/// 64 sets of policies, each put to 400 of 2,000 cases. `PROPTEST_CASES=1000` asks 100,000 times.
#[test]
fn the_same_as_plain_cedar() {
    // The cases do not depend on the policies, and making them for plain Cedar takes longer than all the rest.
    let mut runner = TestRunner::deterministic();
    let cases = Plain::new(&[], SCHEMA);
    let cases: Vec<_> = (0..2_000)
        .map(|_| sample().new_tree(&mut runner).unwrap().current())
        .map(|sample| (cases.request(&sample.asked()), sample))
        .collect();

    let config = ProptestConfig { cases: ProptestConfig::default().cases / 4, ..ProptestConfig::default() };
    let policies = (prop::collection::vec(policy(), 0..24), 0..cases.len());
    let outcome = TestRunner::new(config).run(&policies, |(policies, first)| {
        let texts = text(&policies);
        let plain = Plain::new(&texts, SCHEMA);
        let policies = Policies::load(texts).unwrap_or_else(|errors| panic!("{errors}"));
        for (request, sample) in cases.iter().cycle().skip(first).take(400) {
            let ours = policies.verdict(&sample.case(&policies)).unwrap();
            let response = plain.authorise(request);
            prop_assert_eq!(ours, verdict(&response), "{:?}", sample);
        }
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

/// A policy that would err speaks only within its scope, here and in Cedar, so that leaving it out is no loss.
#[test]
fn a_scope_is_asked_before_the_conditions() {
    let errs = "when { context.time.toTime().toMilliseconds() * 9223372036854775807 < 0 };";
    let scopes = [
        r#"principal == Service::"p0", action, resource"#,
        r#"principal in Role::"r1", action, resource"#,
        r#"principal is Service, action, resource"#,
        r#"principal is User in Tenant::"t1", action, resource"#,
        r#"principal, action == Action::"invoke_model", resource"#,
        r#"principal, action in [Action::"ingest", Action::"erase"], resource"#,
        r#"principal, action, resource == Tool::"s0:y""#,
        r#"principal, action, resource in Server::"s1""#,
        r#"principal, action, resource is Trail"#,
        r#"principal, action, resource is Trail in Server::"s0""#,
        // The last ones do hold.
        r#"principal is User in Tenant::"t0", action in [Action::"call_tool"], resource is Tool in Server::"s0""#,
        r#"principal == User::"p0", action == Action::"call_tool", resource == Tool::"s0:x""#,
    ];
    let policies: Vec<String> = scopes.iter().map(|scope| format!("forbid ({scope}) {errs}")).collect();
    let texts = text(&policies);
    let (plain, policies) = (Plain::new(&texts, SCHEMA), Policies::load(texts).unwrap());
    let mut runner = TestRunner::deterministic();
    let some = principals().new_tree(&mut runner).unwrap().current();
    let sample = Sample {
        principal: Principal {
            user: Some("p0".to_owned()),
            roles: vec!["r0".to_owned()],
            tenant: Tenant::new("t0").unwrap(),
            ..some
        },
        wanted: Wanted::Tool("s0", "s0:x"),
        findings: vec![],
        parameters: None,
        ip: None,
        now: "2026-03-06T14:32:07.891234Z".parse().unwrap(),
    };
    let ours = policies.verdict(&sample.case(&policies)).unwrap();
    let response = plain.authorise(&plain.request(&sample.asked()));
    assert_eq!(ours, verdict(&response));
    assert_eq!(ours, Verdict { permitted: false, deciding: vec![], erred: vec!["policy 10", "policy 11"] });
}
