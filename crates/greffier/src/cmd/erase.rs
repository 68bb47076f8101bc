//! `erase`, `hold` and `subject`: what is asked of a running server, and what it answered.

use http::header::ACCEPT;
use serde_json::{Value, json};

use crate::cli::{At, Erase, Hold, Subject, Why};
use crate::exit::Exit;
use crate::http::{Client, encoded};
use crate::output::{Format, Output};
use crate::source::wait;

const JSON: &str = "application/json";

pub(super) fn erase(what: &Erase, output: Output) -> anyhow::Result<Exit> {
    match what {
        Erase::User { sub, why } => ask(&json!({ "user": sub }), why, output),
        Erase::Subject { subject, why } => ask(&json!({ "subject": subject }), why, output),
        Erase::Event { event, why } => ask(&json!({ "event": event }), why, output),
        Erase::Part { event, part, why } => {
            ask(&json!({ "part": { "event": event, "name": part } }), why, output)
        }
        Erase::Approve { id, at } => decide(id, "approve", at, output),
        Erase::Deny { id, at } => decide(id, "deny", at, output),
        Erase::List { at } => {
            list(at, "erasures", &["id", "state", "by", "target", "asked_by", "decided_by", "time"], output)
        }
    }
}

fn ask(target: &Value, why: &Why, output: Output) -> anyhow::Result<Exit> {
    let Why { basis, reason, dry_run, at } = why;
    let body = json!({ "target": target, "legal_basis": basis, "reason": reason, "dry_run": dry_run });
    let answer = post(at, "/api/v1/erasures", &body)?;
    let plan = answer.get("plan").unwrap_or(&answer);
    if output.format == Format::Table {
        let figure = |name: &str| plan.get(name).and_then(Value::as_u64).unwrap_or_default();
        let words =
            format!("{} events, {} parts, {} bytes", figure("events"), figure("parts"), figure("bytes"));
        let held: Vec<&str> = plan
            .get("held")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        if !held.is_empty() {
            output.line(&format!("refused by legal hold {}", held.join(", ")))?;
        }
        match answer.get("id").and_then(Value::as_str) {
            Some(id) => {
                output.line(id)?;
                output.note(&format!("{words}; another person approves with: greffier erase approve {id}"));
            }
            None => output.line(&format!("would take {words}"))?,
        }
    } else {
        show(&answer, output)?;
    }
    Ok(Exit::Ok)
}

fn decide(id: &str, how: &str, at: &At, output: Output) -> anyhow::Result<Exit> {
    let answer = post(at, &format!("/api/v1/erasures/{}/{how}", encoded(id)), &json!({}))?;
    if output.format == Format::Table {
        let state = answer.get("state").and_then(Value::as_str).unwrap_or_default();
        let by = answer.get("by").and_then(Value::as_u64);
        output.line(&by.map_or(state.to_owned(), |by| format!("{state}, erased by entry {by}")))?;
    } else {
        show(&answer, output)?;
    }
    Ok(Exit::Ok)
}

pub(super) fn hold(what: &Hold, output: Output) -> anyhow::Result<Exit> {
    let (at, path, body) = match what {
        Hold::List { at } => return list(at, "holds", &["id", "scope", "by", "placed_by", "time"], output),
        Hold::Add { user, subject, event, from, until, reason, at } => {
            let scope = match (user, subject, event) {
                (Some(user), _, _) => json!({ "user": user }),
                (_, Some(subject), _) => json!({ "subject": subject }),
                (_, _, Some(event)) => json!({ "event": event }),
                _ if from.is_some() || until.is_some() => {
                    json!({ "recorded": { "from": from, "until": until } })
                }
                _ => json!({ "tenant": true }),
            };
            (at, "/api/v1/holds".to_owned(), json!({ "scope": scope, "reason": reason }))
        }
        Hold::Release { id, reason, at } => {
            (at, format!("/api/v1/holds/{}/release", encoded(id)), json!({ "reason": reason }))
        }
    };
    let answer = post(at, &path, &body)?;
    if output.format == Format::Table {
        output.line(answer.get("id").and_then(Value::as_str).unwrap_or_default())?;
    } else {
        show(&answer, output)?;
    }
    Ok(Exit::Ok)
}

/// All that is held, passed on as it comes.
pub(super) fn subject(args: &Subject, output: Output) -> anyhow::Result<Exit> {
    let client = client(&args.at)?;
    let query: Vec<(&str, &str)> = [("user", &args.user), ("subject", &args.subject)]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_deref()?)))
        .collect();
    wait(async {
        let mut reply = client.open("/api/v1/subjects", &query, &[(ACCEPT, "application/x-ndjson")]).await?;
        // A piece may end within a character: whole lines are passed on.
        let mut waiting: Vec<u8> = Vec::new();
        while let Some(bytes) = reply.next().await? {
            waiting.extend_from_slice(&bytes);
            if let Some(end) = waiting.iter().rposition(|byte| *byte == b'\n') {
                let rest = waiting.split_off(end + 1);
                output.raw(std::str::from_utf8(&waiting)?)?;
                waiting = rest;
            }
        }
        anyhow::Ok(())
    })?;
    Ok(Exit::Ok)
}

fn list(at: &At, what: &str, columns: &[&str], output: Output) -> anyhow::Result<Exit> {
    let client = client(at)?;
    let answer = wait(async { client.get(&format!("/api/v1/{what}"), &[]).await })?;
    let rows: Vec<Value> = answer.get(what).and_then(Value::as_array).cloned().unwrap_or_default();
    output.rows(columns, &rows)?;
    Ok(Exit::Ok)
}

fn show(answer: &Value, output: Output) -> anyhow::Result<()> {
    match output.format {
        Format::Json => output.object(&[], answer),
        _ => output.rows(&["id", "state", "by", "target", "scope"], std::slice::from_ref(answer)),
    }
}

fn post(at: &At, path: &str, body: &Value) -> anyhow::Result<Value> {
    let client = client(at)?;
    wait(async { client.post(path, &[], JSON, serde_json::to_vec(body)?).await })
}

fn client(at: &At) -> anyhow::Result<Client> {
    Client::new(&at.server, at.token_file.as_deref())
}
