use greffier_event::Actor;
use serde_json::json;

use super::*;
use crate::SAMPLE_POLICIES;
use crate::parameters::MAX_PARAMETERS;

fn principal() -> Principal {
    Principal {
        tenant: Tenant::new("acme").unwrap(),
        user: Some("alice-ref".to_owned()),
        issuer: "https://idp.example".to_owned(),
        roles: vec!["analyst".to_owned()],
        scopes: vec!["tool:crm:read".to_owned()],
        email: Some("alice@example.com".to_owned()),
        agent: "crm-assistant".to_owned(),
        tier: Some("interactive".to_owned()),
        via: vec![Actor { iss: None, sub: "planner".to_owned() }],
        via_dropped: 0,
        session: None,
        client_id: Some("client-1".to_owned()),
        token: None,
        verified: true,
        expires: Timestamp::from_micros(0),
    }
}

fn role(role: &str) -> Principal {
    Principal { roles: vec![role.to_owned()], ..principal() }
}

fn tool(name: &str) -> Target {
    let server = name.split(':').next().unwrap().to_owned();
    Target::Tool { server, name: name.to_owned() }
}

fn model(name: &str) -> Target {
    Target::Model { name: name.to_owned() }
}

fn policies(text: &str) -> Policies {
    Policies::load(vec![("test.cedar".to_owned(), text.to_owned())])
        .unwrap_or_else(|errors| panic!("{errors}"))
}

fn samples() -> Policies {
    let files = SAMPLE_POLICIES.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    Policies::load(files.collect()).unwrap()
}

fn ask(target: &Target) -> Question<'_> {
    let now = "2026-03-06T14:32:07.891234Z".parse().unwrap();
    Question { target, findings: &[], parameters: None, ip: None, channel: "gateway", now }
}

fn show(decision: &Decision) -> String {
    let Decision { kind, rule, reasons, version } = decision;
    assert!(version.starts_with("sha256:"));
    assert_eq!(*kind == DecisionKind::Deny, !reasons.is_empty(), "a denial has a reason, nothing else has");
    format!(
        "{kind:?} by {}{}",
        rule.as_deref().unwrap_or("-"),
        reasons.iter().map(|reason| format!("\n  {reason}")).collect::<String>()
    )
}

fn check(policies: &Policies, principal: &Principal, target: &Target) -> String {
    show(&policies.authorise(principal, &ask(target)))
}

const CRM: &str = r#"@id("role:analyst grants tool:crm:read")
permit (principal in Role::"analyst", action == Action::"call_tool", resource in Server::"crm")
when { context.scopes.contains("tool:crm:read") };"#;

#[test]
fn the_designs_example() {
    let policies = policies(CRM);
    insta::assert_snapshot!(check(&policies, &principal(), &tool("crm:contacts:search")), @"Allow by role:analyst grants tool:crm:read");
    insta::assert_snapshot!(check(&policies, &principal(), &tool("ehr:patients")), @r#"
        Deny by -
          no policy permits a user with role analyst to call tool ehr:patients
        "#);
    insta::assert_snapshot!(check(&policies, &principal(), &model("crm")), @r#"
        Deny by -
          no policy permits a user with role analyst to invoke model crm
        "#);
    let scopeless = Principal { scopes: vec![], ..principal() };
    insta::assert_snapshot!(check(&policies, &scopeless, &tool("crm:contacts:search")), @r#"
        Deny by -
          no policy permits a user with role analyst to call tool crm:contacts:search
        "#);
    insta::assert_snapshot!(check(&policies, &role("intern"), &tool("crm:contacts:search")), @r#"
        Deny by -
          no policy permits a user with role intern to call tool crm:contacts:search
        "#);
}

#[test]
fn denied_by_default_with_a_sentence() {
    let none = Policies::load(vec![]).unwrap();
    let roles = |roles: &[&str]| Principal {
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        ..principal()
    };
    let service = Principal { user: None, ..principal() };
    let lines = [
        check(&none, &roles(&[]), &model("gpt-5")),
        check(&none, &roles(&["a", "b"]), &model("gpt-5")),
        check(&none, &roles(&["a", "b", "c", "d", "e"]), &model("gpt-5")),
        check(&none, &service, &tool("crm:contacts:search")),
        check(&none, &roles(&["a"]), &model(&format!("x\u{202E}\n{}", "y".repeat(200)))),
    ];
    let lines = lines.join("\n");
    assert!(!lines.contains("alice"), "reasons name roles, never people");
    insta::assert_snapshot!(lines, @r#"
        Deny by -
          no policy permits a user without a role to invoke model gpt-5
        Deny by -
          no policy permits a user with roles a, b to invoke model gpt-5
        Deny by -
          no policy permits a user with roles a, b, c and 2 more to invoke model gpt-5
        Deny by -
          no policy permits a service with role analyst to call tool crm:contacts:search
        Deny by -
          no policy permits a user with role a to invoke model x��yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy
        "#);
}

/// The record gives a reason 512 characters.
#[test]
fn the_longest_reasons_fit_the_record() {
    let roles = (0..64).map(|i| format!("{i:ü<128}")).collect();
    let verbose = Principal { roles, user: None, ..principal() };
    let id = "i".repeat(200);
    let forbids = policies(&format!("@id(\"{id}\") forbid (principal, action, resource == Tool::\"t\");"));
    for target in [tool("t"), tool(&"n".repeat(1_000)), model(&"ü".repeat(1_000))] {
        let decision = forbids.authorise(&verbose, &ask(&target));
        let longest = decision.reasons.iter().map(|reason| reason.chars().count()).max().unwrap();
        assert!((100..=512).contains(&longest), "{longest}");
    }
    let trail = Tenant::new("t".repeat(64)).unwrap();
    for action in [AdminAction::Ingest, AdminAction::ExportTrail] {
        let question = AdminQuestion { action, trail: &trail, ip: None, now: Timestamp::from_micros(0) };
        assert!(forbids.authorise_admin(&verbose, &question).reasons[0].chars().count() <= 512);
    }
}

#[test]
fn the_deciding_policy_is_the_same_every_time() {
    let policies = policies(
        r#"@id("c permits") permit (principal, action, resource);
           @id("a permits") permit (principal, action, resource);
           @id("b permits") permit (principal, action, resource);
           @id("z forbids o1") forbid (principal, action, resource == Model::"o1");
           @id("y forbids o1") forbid (principal, action, resource == Model::"o1");"#,
    );
    for _ in 0..20 {
        assert_eq!(check(&policies, &principal(), &model("gpt-5")), "Allow by a permits");
    }
    insta::assert_snapshot!(check(&policies, &principal(), &model("o1")), @r#"
        Deny by y forbids o1
          policy "y forbids o1" forbids it
          policy "z forbids o1" forbids it
        "#);
}

/// A forbid that errs is skipped by Cedar; here it denies.
#[test]
fn an_evaluation_error_denies() {
    // Strict validation leaves overflow as the way to err: any time but the first millisecond of a day.
    let policies = policies(
        r#"@id("anyone may") permit (principal, action, resource);
           @id("not by day") forbid (principal, action == Action::"call_tool", resource)
           when { context.time.toTime().toMilliseconds() * 9223372036854775807 < 0 };
           @id("no o1") forbid (principal, action, resource == Tool::"o1");"#,
    );
    let midnight = "2026-03-06T00:00:00Z".parse().unwrap();
    let target = tool("crm");
    let at_midnight = show(&policies.authorise(&principal(), &Question { now: midnight, ..ask(&target) }));
    insta::assert_snapshot!([
        check(&policies, &principal(), &tool("crm")),
        at_midnight,
        check(&policies, &principal(), &tool("o1")),
        check(&policies, &principal(), &model("m")),
    ].join("\n"), @r#"
        Deny by -
          policy "not by day" cannot be evaluated for this call
        Allow by anyone may
        Deny by no o1
          policy "no o1" forbids it
          policy "not by day" cannot be evaluated for this call
        Allow by anyone may
        "#);
}

#[test]
fn services_users_and_their_marks() {
    let policies = policies(
        r#"@id("client-1 is known") permit (principal == Service::"client-1", action, resource);
           @id("alice, verified") permit (principal == User::"alice-ref", action, resource)
           when { principal.verified && principal.issuer == "https://idp.example" && principal in Tenant::"acme" };
           @id("services by role") permit (principal is Service in Role::"batch", action, resource);"#,
    );
    let service = Principal { user: None, ..principal() };
    let check = |principal: &Principal| check(&policies, principal, &model("m"));
    insta::assert_snapshot!([
        check(&principal()),
        check(&Principal { verified: false, ..principal() }),
        check(&Principal { issuer: "https://other.example".to_owned(), ..principal() }),
        check(&Principal { tenant: Tenant::new("globex").unwrap(), ..principal() }),
        check(&Principal { user: Some("client-1".to_owned()), ..principal() }),
        check(&service),
        check(&Principal { client_id: None, ..service.clone() }),
        check(&Principal { client_id: None, roles: vec!["batch".to_owned()], ..service }),
    ].join("\n"), @r#"
        Allow by alice, verified
        Deny by -
          no policy permits a user with role analyst to invoke model m
        Deny by -
          no policy permits a user with role analyst to invoke model m
        Deny by -
          no policy permits a user with role analyst to invoke model m
        Deny by -
          no policy permits a user with role analyst to invoke model m
        Allow by client-1 is known
        Deny by -
          no policy permits a service with role analyst to invoke model m
        Allow by services by role
        "#);
}

/// Each condition alone decides, so that one which did not reach the policy would show.
#[test]
fn circumstances() {
    let holds = |condition: &str, principal: &Principal, question: &Question<'_>| {
        let text = format!("@id(\"it holds\") permit (principal, action, resource) when {{ {condition} }};");
        let kind = policies(&text).authorise(principal, question).kind;
        format!("{:<70} {kind:?}", condition)
    };
    let arguments = json!({"query": "pipeline", "limit": 20, "filter": {"owner": "bob"}});
    let target = tool("crm:contacts:search");
    let full = Question {
        findings: &["US_SSN"],
        parameters: Some(&arguments),
        ip: Some("::ffff:10.1.2.3"),
        ..ask(&target)
    };
    let bare = Principal { tier: None, via: vec![], scopes: vec![], ..principal() };
    let lines: Vec<String> = [
        r#"context.agent == "crm-assistant""#,
        r#"context has tier && context.tier == "interactive""#,
        r#"context.via.contains("planner")"#,
        r#"context.scopes.containsAny(["tool:crm:read"])"#,
        r#"context.findings.contains("US_SSN")"#,
        r#"context.parameters.hasTag("query") && context.parameters.getTag("query") like "pipe*""#,
        r#"context.parameters.hasTag("limit") && context.parameters.getTag("limit") == "20""#,
        r#"context.parameters.hasTag("/filter/owner")"#,
        r#"context.source has ip && context.source.ip.isInRange(ip("10.0.0.0/8"))"#,
        r#"context.source.channel == "gateway""#,
        r#"context.time == datetime("2026-03-06T14:32:07.891Z")"#,
        r#"context.time.toTime() > duration("14h")"#,
    ]
    .iter()
    .flat_map(|condition| [holds(condition, &principal(), &full), holds(condition, &bare, &ask(&target))])
    .collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
        context.agent == "crm-assistant"                                       Allow
        context.agent == "crm-assistant"                                       Allow
        context has tier && context.tier == "interactive"                      Allow
        context has tier && context.tier == "interactive"                      Deny
        context.via.contains("planner")                                        Allow
        context.via.contains("planner")                                        Deny
        context.scopes.containsAny(["tool:crm:read"])                          Allow
        context.scopes.containsAny(["tool:crm:read"])                          Deny
        context.findings.contains("US_SSN")                                    Allow
        context.findings.contains("US_SSN")                                    Deny
        context.parameters.hasTag("query") && context.parameters.getTag("query") like "pipe*" Allow
        context.parameters.hasTag("query") && context.parameters.getTag("query") like "pipe*" Deny
        context.parameters.hasTag("limit") && context.parameters.getTag("limit") == "20" Allow
        context.parameters.hasTag("limit") && context.parameters.getTag("limit") == "20" Deny
        context.parameters.hasTag("/filter/owner")                             Allow
        context.parameters.hasTag("/filter/owner")                             Deny
        context.source has ip && context.source.ip.isInRange(ip("10.0.0.0/8")) Allow
        context.source has ip && context.source.ip.isInRange(ip("10.0.0.0/8")) Deny
        context.source.channel == "gateway"                                    Allow
        context.source.channel == "gateway"                                    Allow
        context.time == datetime("2026-03-06T14:32:07.891Z")                   Allow
        context.time == datetime("2026-03-06T14:32:07.891Z")                   Allow
        context.time.toTime() > duration("14h")                                Allow
        context.time.toTime() > duration("14h")                                Allow
        "#);
}

#[test]
fn what_cannot_be_asked_is_denied() {
    let many: Value =
        (0..MAX_PARAMETERS).map(|i| (format!("a{i}"), json!([i]))).collect::<serde_json::Map<_, _>>().into();
    let target = tool("crm:contacts:search");
    let reading = policies(
        r#"@id("all but x") permit (principal, action, resource) unless { context.parameters.hasTag("x") };"#,
    );
    let blind = policies(r#"@id("all") permit (principal, action, resource);"#);
    let ask_with =
        |policies: &Policies, question: Question<'_>| show(&policies.authorise(&principal(), &question));
    insta::assert_snapshot!([
        ask_with(&reading, Question { parameters: Some(&many), ..ask(&target) }),
        ask_with(&blind, Question { parameters: Some(&many), ..ask(&target) }),
        ask_with(&blind, Question { ip: Some("localhost"), ..ask(&target) }),
    ].join("\n"), @r#"
        Deny by -
          the call has more than 256 arguments, or too deep ones, and policies look at arguments
        Allow by all
        Deny by -
          the call's source address is not an IP address
        "#);
}

/// Names come from callers: none of them is ever read as policy language or as another entity.
#[test]
fn names_are_data() {
    let policies = policies(r#"@id("one tool") permit (principal, action, resource == Tool::"a");"#);
    let odd = r#"a" || true || Tool::"b"#;
    insta::assert_snapshot!(check(&policies, &principal(), &tool("a")), @"Allow by one tool");
    insta::assert_snapshot!(check(&policies, &principal(), &tool(odd)), @r#"
        Deny by -
          no policy permits a user with role analyst to call tool a" || true || Tool::"b
        "#);
    insta::assert_snapshot!(check(&policies, &principal(), &model("a")), @r#"
        Deny by -
          no policy permits a user with role analyst to invoke model a
        "#);
}

/// Rows: roles; columns: what they may do with the samples, on their own trail, another's and the node's.
#[test]
fn the_samples_matrix() {
    let samples = samples();
    let actions = [
        AdminAction::ReadTrail,
        AdminAction::ExportTrail,
        AdminAction::Ingest,
        AdminAction::Erase,
        AdminAction::Approve,
        AdminAction::Manage,
        AdminAction::Attest,
    ];
    let mut lines = Vec::new();
    for name in ["auditor", "analyst", "operator", "privacy", "nobody"] {
        for trail in ["acme", "globex", "greffier"] {
            let trail = Tenant::new(trail).unwrap();
            let may = |action: &&AdminAction| {
                let question = AdminQuestion {
                    action: **action,
                    trail: &trail,
                    ip: None,
                    now: Timestamp::from_micros(0),
                };
                samples.authorise_admin(&role(name), &question).kind == DecisionKind::Allow
            };
            let may: Vec<&str> = actions.iter().filter(may).map(|action| action.name()).collect();
            lines.push(format!("{name:<9} {:<9} {}", trail.as_str(), may.join(" ")).trim_end().to_owned());
        }
        for target in [model("gpt-5"), tool("crm:contacts:search")] {
            lines.push(format!("{name:<9} {}", check(&samples, &role(name), &target)));
        }
    }
    insta::assert_snapshot!(lines.join("\n"), @"
    auditor   acme      read_trail export_trail attest
    auditor   globex
    auditor   greffier
    auditor   Deny by -
      no policy permits a user with role auditor to invoke model gpt-5
    auditor   Deny by -
      no policy permits a user with role auditor to call tool crm:contacts:search
    analyst   acme      read_trail ingest
    analyst   globex
    analyst   greffier
    analyst   Allow by role:analyst may invoke any model
    analyst   Allow by role:analyst may call any configured tool
    operator  acme      read_trail ingest approve attest
    operator  globex
    operator  greffier  read_trail export_trail manage
    operator  Allow by role:operator may invoke any model
    operator  Allow by role:operator may call any configured tool
    privacy   acme      read_trail erase attest
    privacy   globex
    privacy   greffier
    privacy   Deny by -
      no policy permits a user with role privacy to invoke model gpt-5
    privacy   Deny by -
      no policy permits a user with role privacy to call tool crm:contacts:search
    nobody    acme
    nobody    globex
    nobody    greffier
    nobody    Deny by -
      no policy permits a user with role nobody to invoke model gpt-5
    nobody    Deny by -
      no policy permits a user with role nobody to call tool crm:contacts:search
    ");
}

#[test]
fn why_greffier_itself_refuses() {
    let samples = samples();
    let ask = |name: &str, action: AdminAction, trail: &str| {
        let trail = Tenant::new(trail).unwrap();
        let question =
            AdminQuestion { action, trail: &trail, ip: Some("127.0.0.1"), now: Timestamp::from_micros(0) };
        show(&samples.authorise_admin(&role(name), &question))
    };
    insta::assert_snapshot!([
        ask("auditor", AdminAction::ReadTrail, "acme"),
        ask("auditor", AdminAction::ReadTrail, "globex"),
        ask("auditor", AdminAction::Erase, "acme"),
        ask("analyst", AdminAction::Manage, "greffier"),
    ].join("\n"), @r#"
        Allow by role:auditor may read and export the trail of its tenant
        Deny by a trail is for its own tenant
          policy "a trail is for its own tenant" forbids it
        Deny by -
          no policy permits a user with role auditor to erase from the trail acme
        Deny by -
          no policy permits a user with role analyst to manage greffier
        "#);
}

#[test]
fn resources_and_what_keeps_a_connection_going() {
    let policies = policies(
        r#"@id("the crm's resources are read")
        permit (principal, action == Action::"read_resource", resource in Server::"crm");
        @id("one is not")
        forbid (principal, action == Action::"read_resource", resource == Resource::"crm://secret");
        @id("nobody speaks to the hr server")
        forbid (principal, action, resource in Server::"hr");"#,
    );
    let resource = |server: &str, uri: &str| {
        let target = Target::Resource { server: server.to_owned(), uri: uri.to_owned() };
        check(&policies, &principal(), &target)
    };
    let session = |server: &str| {
        let target =
            Target::Session { server: server.to_owned(), name: format!("{server}:method:initialize") };
        check(&policies, &principal(), &target)
    };
    insta::assert_snapshot!(resource("crm", "crm://people"), @"Allow by the crm's resources are read");
    insta::assert_snapshot!(resource("crm", "crm://secret"), @r#"
        Deny by one is not
          policy "one is not" forbids it
        "#);
    insta::assert_snapshot!(resource("ehr", "crm://people"), @r#"
        Deny by -
          no policy permits a user with role analyst to read resource crm://people
        "#);
    // Silence is no denial here, a forbid is one.
    insta::assert_snapshot!(session("crm"), @"Allow by the protocol needs it, and no policy forbids it");
    insta::assert_snapshot!(session("hr"), @r#"
        Deny by nobody speaks to the hr server
          policy "nobody speaks to the hr server" forbids it
        "#);
}
