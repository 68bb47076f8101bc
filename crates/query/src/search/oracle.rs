//! What a search means, said a second time: over one event, without columns or expressions.

use greffier_event::Event;

use super::fields::Field;
use super::value::Bounds;
use super::{Pattern, Search, Test, What};

/// Whether the event at this index matches, its contents closed.
pub(crate) fn matches(search: &Search, index: u64, event: &Event) -> bool {
    matches_with(search, index, event, &[])
}

/// Whether the event at this index matches, with these contents.
pub(crate) fn matches_with(search: &Search, index: u64, event: &Event, contents: &[String]) -> bool {
    let index = i64::try_from(index).unwrap();
    let inside = |pattern: &Pattern| contents.iter().any(|text| around(pattern).fits(&text.to_lowercase()));
    let others = || search.terms.iter().filter(|other| !other.negated).map(|other| &other.what);
    search.terms.iter().all(|term| {
        let holds = match &term.what {
            What::Word(pattern) => text(pattern, event) || (!is_question(event) && inside(pattern)),
            What::Text(patterns) if term.negated => patterns.iter().any(|pattern| text(pattern, event)),
            What::Text(_) => others().any(|what| match what {
                What::Text(patterns) => patterns.iter().any(|pattern| text(pattern, event)),
                _ => false,
            }),
            What::Content(patterns) if term.negated => patterns.iter().any(inside),
            What::Content(_) => others().any(|what| match what {
                What::Content(patterns) => patterns.iter().any(inside),
                _ => false,
            }),
            What::Has(fields) => fields.iter().any(|field| has(field, index, event)),
            What::Field(field, tests) if term.negated || tests.iter().all(Test::narrows) => {
                tests.iter().any(|test| passes(field, test, index, event))
            }
            // The alternatives of all positive terms of this field.
            What::Field(field, _) => others().any(|what| match what {
                What::Field(same, tests) if same == field && !tests.iter().all(Test::narrows) => {
                    tests.iter().any(|test| passes(field, test, index, event))
                }
                _ => false,
            }),
        };
        holds != term.negated
    })
}

/// A field's value: texts, or a number.
enum Value {
    Texts(Vec<String>),
    Number(Option<i64>),
    Flag(Option<bool>),
}

fn value(name: &str, index: i64, e: &Event) -> Value {
    let one = |text: Option<&str>| Value::Texts(text.map(str::to_owned).into_iter().collect());
    let number = |number: Option<u64>| Value::Number(number.map(|number| i64::try_from(number).unwrap()));
    let (user, agent, action, resource) =
        (e.user.as_ref(), e.agent.as_ref(), e.action.as_ref(), e.resource.as_ref());
    let (policy, usage, outcome, source) =
        (e.policy.as_ref(), e.usage.as_ref(), e.outcome.as_ref(), e.source.as_ref());
    let redactions =
        || e.content_safety.iter().flat_map(|s| &s.redactions).map(|r| r.entity.clone()).collect();
    match name {
        "user" => one(user.map(|u| u.sub.as_str())),
        "agent" => one(agent.map(|a| a.id.as_str())),
        "tier" => one(agent.and_then(|a| a.tier.as_deref())),
        "redactions" => Value::Number(
            e.content_safety
                .as_ref()
                .map(|s| s.redactions.iter().map(|r| i64::try_from(r.count).unwrap()).sum()),
        ),
        "attempts" => Value::Number(outcome.map(|o| i64::try_from(o.attempts.len()).unwrap())),
        "input_tokens" => number(usage.and_then(|u| u.input_tokens)),
        "output_tokens" => number(usage.and_then(|u| u.output_tokens)),
        "session" => one(e.session_id.as_deref()),
        "link" => one(e.session_link.map(|link| link.as_str())),
        "request" => one(e.request_id.as_deref()),
        "id" => one(Some(&e.id.to_string())),
        "tool" => one(action.map(|a| a.name.as_str())),
        "type" => one(Some(e.kind.as_str())),
        "kind" => one(action.and_then(|a| a.kind).map(|k| k.as_str())),
        "effect" => one(action.and_then(|a| a.effect).map(|k| k.as_str())),
        "decision" => one(policy.map(|p| p.decision.as_str())),
        "rule" => one(policy.and_then(|p| p.rule.as_deref())),
        "role" => Value::Texts(user.map(|u| u.roles.clone()).unwrap_or_default()),
        "scope" => Value::Texts(policy.map(|p| p.scopes.clone()).unwrap_or_default()),
        "resource" => one(resource.and_then(|r| r.uri.as_deref())),
        "class" => Value::Texts(resource.map(|r| r.classification.clone()).unwrap_or_default()),
        "model" => one(usage.and_then(|u| u.model.as_deref())),
        "provider" => one(usage.and_then(|u| u.provider.as_deref())),
        "status" => one(outcome.map(|o| o.status.as_str())),
        "code" => Value::Number(outcome.and_then(|o| o.code)),
        "error" => one(outcome.and_then(|o| o.error.as_deref())),
        "channel" => one(source.map(|s| s.channel.as_str())),
        "client" => one(source.and_then(|s| s.client.as_deref())),
        "node" => one(source.and_then(|s| s.node.as_deref())),
        "pii" => Value::Flag(e.content_safety.as_ref().map(|s| s.pii_detected)),
        "redaction" => Value::Texts(redactions()),
        "verified" => Value::Flag(user.map(|u| u.verified).or(agent.map(|a| a.verified))),
        "cost" => number(usage.and_then(|u| u.cost_micros)),
        "tokens" => number(usage.and_then(|u| match (u.input_tokens, u.output_tokens) {
            (None, None) => None,
            (input, output) => Some(input.unwrap_or(0) + output.unwrap_or(0)),
        })),
        "duration" => number(outcome.and_then(|o| o.duration_us)),
        "time" => Value::Number(Some(e.time.as_micros())),
        "recorded" => Value::Number(e.recorded_at.map(greffier_event::Timestamp::as_micros)),
        "index" => Value::Number(Some(index)),
        other => panic!("no test asks for {other}"),
    }
}

fn passes(field: &Field, test: &Test, index: i64, event: &Event) -> bool {
    let inside = |bounds: &Bounds<i64>, n: i64| match *bounds {
        Bounds::Equal(is) => n == is,
        Bounds::Greater(than) => n > than,
        Bounds::AtLeast(least) => n >= least,
        Bounds::Less(than) => n < than,
        Bounds::AtMost(most) => n <= most,
        Bounds::Between(from, to) => from <= n && n <= to,
    };
    let name = if matches!((field.name, test), ("pii", Test::Text(_))) { "redaction" } else { field.name };
    match (value(name, index, event), test) {
        (Value::Texts(texts), Test::Text(pattern)) => texts.iter().any(|text| pattern.fits(text)),
        (Value::Flag(is), Test::Flag(flag)) => is == Some(*flag),
        (Value::Number(n), Test::Number(bounds)) => n.is_some_and(|n| inside(bounds, n)),
        (Value::Number(n), Test::Time(bounds)) => n.is_some_and(|n| inside(&bounds.micros(), n)),
        _ => false,
    }
}

fn has(field: &Field, index: i64, event: &Event) -> bool {
    match value(field.name, index, event) {
        Value::Texts(texts) => !texts.is_empty(),
        Value::Number(number) => number.is_some(),
        // `has:pii` asks whether there is any.
        Value::Flag(flag) => {
            if field.name == "pii" {
                flag == Some(true)
            } else {
                flag.is_some()
            }
        }
    }
}

/// A read of a trail, as Greffier records it: what was asked for is its contents.
fn is_question(e: &Event) -> bool {
    let begins = |text: Option<&str>, with: &str| text.is_some_and(|text| text.starts_with(with));
    begins(e.resource.as_ref().and_then(|resource| resource.uri.as_deref()), "audit://")
        && begins(e.action.as_ref().map(|action| action.name.as_str()), "trail:")
}

/// The same somewhere in a longer text, in lower case.
fn around(pattern: &Pattern) -> Pattern {
    let mut pieces = vec![String::new()];
    pieces.extend(pattern.pieces.iter().map(|piece| piece.to_lowercase()));
    pieces.push(String::new());
    Pattern { pieces }
}

/// Free text, over every field that holds text.
fn text(pattern: &Pattern, e: &Event) -> bool {
    let lower = |text: &str| text.to_lowercase();
    let pattern = around(pattern);
    let names = [
        "id",
        "type",
        "request",
        "session",
        "user",
        "agent",
        "tool",
        "kind",
        "effect",
        "resource",
        "decision",
        "rule",
        "provider",
        "model",
        "status",
        "error",
        "channel",
        "node",
        "client",
        "role",
        "class",
        "scope",
        "redaction",
    ];
    let tier = e.agent.as_ref().and_then(|agent| agent.tier.clone());
    let texts = names.iter().flat_map(|name| match value(name, 0, e) {
        Value::Texts(texts) => texts,
        _ => Vec::new(),
    });
    texts.chain(tier).any(|text| pattern.fits(&lower(&text)))
}
