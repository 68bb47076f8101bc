//! Screen: what a producer sent, made fit for the record.
//!
//! Every string of the leaf that a producer controls is inspected like content, and gives way to a placeholder
//! on a hit; the contents are redacted as the gateway's are. What was found is noted in the event, so that
//! searches for it find ingested events too.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use greffier_event::limits::{self, Text};
use greffier_event::{
    Action, Agent, ContentSafety, Draft, Event, Outcome, Part, PolicyRecord, Redaction, RedactionAction,
    Resource, Source, Stage, Tenant, Usage, User,
};
use greffier_ledger::KeyRing;
use greffier_safety::{Entity, Scanner, json, redact_text};

use super::subjects::is_reference;
use crate::Inspection;

/// Findings kept per event with their places; past it places are dropped and counts kept. An entry has 65,535
/// bytes, and one finding takes up to 300 of them.
const MAX_PLACES: usize = 100;
/// What stands for a word that cannot be shown, where a placeholder would break the field's grammar.
const WORD: &str = "redacted";
/// The same for a type of finding.
const ENTITY: &str = "REDACTED";
/// The part that holds an address on purpose.
const EMAIL: &str = "email";

/// Texts of a batch in which nothing was found: an agent's events have the same names again and again, and each is
/// inspected once.
#[derive(Default)]
pub(crate) struct Clean {
    texts: HashSet<String>,
    uris: HashSet<String>,
    subjects: HashSet<String>,
    contents: json::Clean,
}

/// The screen of one event.
struct Screen<'a> {
    scanner: &'a Scanner,
    clean: &'a mut Clean,
    keys: &'a KeyRing,
    tenant: &'a Tenant,
    found: BTreeMap<(Stage, Entity, String), u64>,
}

/// Makes an event from outside fit for the record.
pub(crate) fn screen(
    draft: &mut Draft,
    scanner: &Scanner,
    keys: &KeyRing,
    contents: Inspection,
    clean: &mut Clean,
) {
    let tenant = draft.event.tenant.clone();
    let mut screen = Screen { scanner, clean, keys, tenant: &tenant, found: BTreeMap::new() };
    if let Some(email) = screen.event(&mut draft.event)
        && draft.parts.len() < limits::PARTS.max
        && !draft.parts.iter().any(|part| part.name == EMAIL)
    {
        let (name, media) = (EMAIL.to_owned(), "text/plain".to_owned());
        draft.parts.push(Part { name, media, content: email.into_bytes() });
    }
    for (at, part) in draft.parts.iter_mut().enumerate() {
        screen.labels(at, part);
        if contents == Inspection::Full {
            screen.part(part);
        }
    }
    note(&mut draft.event, screen.found);
}

impl Screen<'_> {
    /// Screens the leaf. Returns the user's address, if that is what their subject was.
    fn event(&mut self, event: &mut Event) -> Option<String> {
        let Event {
            action,
            agent,
            content_safety,
            outcome,
            policy,
            resource,
            source,
            trace,
            usage,
            user,
            ..
        } = event;
        self.some(&limits::REQUEST_ID, &mut event.request_id);
        self.some(&limits::SESSION_ID, &mut event.session_id);
        // Hex alone: there is no placeholder that would still be one.
        trace.take_if(|trace| self.scanner.has_hit(&trace.trace_id));
        if let Some(trace) = trace {
            trace.span_id.take_if(|id| self.scanner.has_hit(id));
        }
        if let Some(Action { call_id, method, name, effect: _, kind: _ }) = action {
            self.some(&limits::ACTION_CALL_ID, call_id);
            self.some(&limits::ACTION_METHOD, method);
            self.text(&limits::ACTION_NAME, name);
        }
        if let Some(Agent { id, tier, verified, version, via, via_dropped: _ }) = agent {
            *verified = false;
            self.subject(&limits::AGENT_ID, id);
            self.some(&limits::AGENT_TIER, tier);
            self.some(&limits::AGENT_VERSION, version);
            for actor in via {
                self.subject(&limits::AGENT_VIA_SUB, &mut actor.sub);
                self.some(&limits::AGENT_VIA_ISS, &mut actor.iss);
            }
        }
        if let Some(ContentSafety { pii_detected: _, redactions }) = content_safety {
            for Redaction { path, entity, action: _, count: _, stage: _ } in redactions {
                self.some(&limits::REDACTION_PATH, path);
                self.text(&limits::REDACTION_TYPE, entity);
            }
        }
        if let Some(Outcome { attempts, error, code: _, duration_us: _, status: _ }) = outcome {
            self.some(&limits::OUTCOME_ERROR, error);
            for attempt in attempts {
                self.some(&limits::ATTEMPT_UPSTREAM_ID, &mut attempt.upstream_request_id);
            }
        }
        if let Some(PolicyRecord { decision: _, reason, rule, scopes, version }) = policy {
            self.some(&limits::POLICY_REASON, reason);
            self.some(&limits::POLICY_RULE, rule);
            self.some(&limits::POLICY_VERSION, version);
            self.each(&limits::POLICY_SCOPE, scopes);
        }
        if let Some(Resource { classification, subjects, uri }) = resource {
            self.each(&limits::RESOURCE_CLASS, classification);
            for subject in subjects.iter_mut().filter(|subject| !is_reference(subject)) {
                *subject = self.keys.reference(self.tenant, "subject", subject);
            }
            if let Some(uri) = uri {
                self.uri(uri);
            }
        }
        if let Some(Source { client, oauth_client, producer, protocol, .. }) = source {
            self.some(&limits::SOURCE_CLIENT, client);
            self.some(&limits::SOURCE_OAUTH_CLIENT, oauth_client);
            self.some(&limits::SOURCE_PRODUCER, producer);
            self.some(&limits::SOURCE_PROTOCOL, protocol);
        }
        if let Some(Usage { model, provider, .. }) = usage {
            self.some(&limits::USAGE_MODEL, model);
            self.some(&limits::USAGE_PROVIDER, provider);
        }
        let User { iss, roles, sub, verified } = user.as_mut()?;
        *verified = false;
        self.some(&limits::USER_ISS, iss);
        self.each(&limits::USER_ROLE, roles);
        let email = sub.contains('@').then(|| sub.clone());
        self.subject(&limits::USER_SUB, sub);
        email
    }

    fn some(&mut self, rule: &'static Text, value: &mut Option<String>) {
        if let Some(value) = value {
            self.text(rule, value);
        }
    }

    fn each(&mut self, rule: &'static Text, values: &mut [String]) {
        values.iter_mut().for_each(|value| self.text(rule, value));
    }

    /// A field of the leaf: what is found in it gives way, and the rest keeps the field's rule.
    fn text(&mut self, rule: &'static Text, value: &mut String) {
        if !self.find(rule, value) {
            return;
        }
        let safe: String = self.scanner.leaf(value).chars().take(rule.max).collect();
        *value = match rule.check(&safe) {
            Ok(()) => safe,
            Err(_) if rule.grammar == limits::Grammar::Entity => ENTITY.to_owned(),
            Err(_) => WORD.to_owned(),
        };
    }

    /// A URI, inspected decoded.
    fn uri(&mut self, uri: &mut String) {
        if self.clean.uris.contains(uri.as_str()) {
            return;
        }
        let safe = self.scanner.leaf_uri(uri);
        if safe == *uri {
            self.clean.uris.insert(safe);
        } else {
            let decoded = percent_encoding::percent_decode_str(uri).decode_utf8_lossy().into_owned();
            self.find(&limits::RESOURCE_URI, &decoded);
            let safe: String = safe.chars().take(limits::RESOURCE_URI.max).collect();
            // Decoded, it may hold what no URI may.
            *uri = if limits::RESOURCE_URI.check(&safe).is_ok() { safe } else { WORD.to_owned() };
        }
    }

    /// A subject: a personal one becomes a keyed reference.
    fn subject(&mut self, rule: &'static Text, sub: &mut String) {
        if self.clean.subjects.contains(sub.as_str()) {
            return;
        }
        if !self.scanner.is_personal(sub) {
            self.clean.subjects.insert(sub.clone());
        } else {
            self.find(rule, sub);
            *sub = self.keys.reference(self.tenant, "user", sub);
        }
    }

    /// Notes what is found in a field; whether anything is.
    fn find(&mut self, rule: &'static Text, value: &str) -> bool {
        if self.clean.texts.contains(value) {
            return false;
        }
        let spans = self.scanner.scan(value);
        if spans.is_empty() {
            self.clean.texts.insert(value.to_owned());
        }
        for span in &spans {
            self.add(Stage::Input, span.entity, format!("/{}", rule.field.replace('.', "/")));
        }
        !spans.is_empty()
    }

    fn add(&mut self, stage: Stage, entity: Entity, path: String) {
        *self.found.entry((stage, entity, path)).or_default() += 1;
    }

    /// A part's name and media type, which stand in the leaf.
    fn labels(&mut self, at: usize, part: &mut Part) {
        if self.find(&limits::PART_NAME, &part.name) {
            part.name = format!("part_{at}");
        }
        self.text(&limits::PART_MEDIA, &mut part.media);
    }

    /// A part: JSON stays JSON, and bytes that are no text stay what they are around a hit.
    fn part(&mut self, part: &mut Part) {
        let stage = match part.name.as_str() {
            "result" | "completion" | "error" => Stage::Output,
            _ => Stage::Input,
        };
        let kept = |entity: Entity| part.name == EMAIL && entity == Entity::EmailAddress;
        if is_json(&part.media)
            && let Ok(found) = json::inspect_next(&part.content, self.scanner, &mut self.clean.contents)
        {
            let hits: Vec<(Entity, String, u64)> = found
                .findings
                .iter()
                .filter(|finding| !kept(finding.entity))
                .map(|finding| (finding.entity, format!("/{}{}", part.name, finding.pointer), finding.count))
                .collect();
            if !hits.is_empty() {
                part.content = found.redact(&part.content, |entity| !kept(entity));
            }
            for (entity, path, count) in hits {
                *self.found.entry((stage, entity, path)).or_default() += count;
            }
            return;
        }
        // Bytes that are not UTF-8 are read as Latin-1: every pattern is ASCII, and the way back is exact.
        let (text, latin1) = match std::str::from_utf8(&part.content) {
            Ok(text) => (Cow::Borrowed(text), false),
            Err(_) => (Cow::Owned(part.content.iter().map(|&byte| char::from(byte)).collect()), true),
        };
        let spans = self.scanner.scan(&text);
        let hits: Vec<Entity> =
            spans.iter().map(|span| span.entity).filter(|&entity| !kept(entity)).collect();
        if hits.is_empty() {
            return;
        }
        let safe = redact_text(&text, &spans, |entity| !kept(entity));
        part.content = if latin1 {
            safe.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect()
        } else {
            safe.into_bytes()
        };
        for entity in hits {
            self.add(stage, entity, format!("/{}", part.name));
        }
    }
}

fn is_json(media: &str) -> bool {
    let essence = super::lines::essence(media);
    essence == "application/json" || essence.ends_with("+json")
}

/// Adds what was found to what the producer said of findings.
fn note(event: &mut Event, found: BTreeMap<(Stage, Entity, String), u64>) {
    if found.is_empty() {
        return;
    }
    let safety = event.content_safety.get_or_insert_default();
    safety.pii_detected = true;
    let room = MAX_PLACES.saturating_sub(safety.redactions.len());
    let detailed = found.len() <= room;
    let mut counts: BTreeMap<(Stage, Entity, Option<String>), u64> = BTreeMap::new();
    for ((stage, entity, path), count) in found {
        *counts.entry((stage, entity, detailed.then_some(path))).or_default() += count;
    }
    let kept = limits::REDACTIONS.max.saturating_sub(counts.len());
    safety.redactions.truncate(kept);
    safety.redactions.extend(counts.into_iter().map(|((stage, entity, path), count)| Redaction {
        action: RedactionAction::Redact,
        count,
        path: path.map(|path| path.chars().take(256).collect()),
        stage,
        entity: entity.name().to_owned(),
    }));
}

#[cfg(test)]
mod tests {
    use greffier_event::{EventId, Form, Reading, Trust};

    use super::*;
    use crate::testing::keys;

    /// A document, screened and written again in its own form.
    fn check(document: &str) -> String {
        let tenant = Tenant::new("acme").unwrap();
        let reading = Reading {
            tenant: &tenant,
            id: EventId(uuid::Uuid::nil()),
            channel: "sdk",
            trust: Trust::Outside,
        };
        let form = Form::detect(document).unwrap();
        let mut draft = form.read(document, &reading).unwrap();
        screen(&mut draft, &Scanner::new(), &keys(), Inspection::Full, &mut Clean::default());
        draft.event.canonical().unwrap();
        let written = form.write(&draft.event, &draft.parts).unwrap();
        written.replace(&keys().reference(&tenant, "user", "alice@example.com"), "<alice>")
    }

    #[test]
    fn clean_events_pass_unchanged() {
        for document in [
            r#"{"event_id":"00000000-0000-0000-0000-000000000001","timestamp":"2026-03-06T14:32:07.891000Z","event_type":"tool.call","agent_id":"crm","session_id":"s","user_id":null,"action":"search","resource":null,"parameters":{"q":"open orders"},"result":null,"error":null,"duration_ms":12.5,"metadata":{}}"#,
            r#"{"timestamp":"2026-03-06T14:32:07.891Z","requestId":"req_1","user":{"sub":"auth0|1","org":"acme"},"action":{"tool":"crm:search","parameters":{"q":"x"}},"policy":{"decision":"allow","rule":"r","scopes":[]},"outcome":{"status":200,"durationMs":3}}"#,
        ] {
            assert_eq!(check(document), document);
        }
    }

    #[test]
    fn the_leaf_holds_placeholders() {
        insta::assert_snapshot!(check(
            r#"{"time":"2026-03-06T14:32:07Z","type":"action.failed","session_id":"call of 536-90-4399","user":{"sub":"alice@example.com"},"agent":{"id":"crm"},"action":{"name":"find 4111111111111111"},"resource":{"uri":"ehr://p/536%2D90%2D4399"},"outcome":{"status":"failure","error":"card:4111-1111-1111-1111"}}"#
        ), @r#"{"action":{"name":"find <CREDIT_CARD>"},"agent":{"id":"crm"},"content_safety":{"pii_detected":true,"redactions":[{"action":"redact","count":1,"path":"/action/name","stage":"input","type":"CREDIT_CARD"},{"action":"redact","count":1,"path":"/outcome/error","stage":"input","type":"CREDIT_CARD"},{"action":"redact","count":1,"path":"/user/sub","stage":"input","type":"EMAIL_ADDRESS"},{"action":"redact","count":1,"path":"/resource/uri","stage":"input","type":"US_SSN"},{"action":"redact","count":1,"path":"/session_id","stage":"input","type":"US_SSN"}]},"id":"00000000-0000-0000-0000-000000000000","outcome":{"error":"redacted","status":"failure"},"resource":{"uri":"ehr://p/<US_SSN>"},"session_id":"call of <US_SSN>","source":{"channel":"sdk"},"tenant":"acme","time":"2026-03-06T14:32:07Z","type":"action.failed","user":{"sub":"<alice>"},"v":1,"parts":[{"name":"email","media":"text/plain","text":"alice@example.com"}]}"#);
    }

    #[test]
    fn contents_are_redacted() {
        insta::assert_snapshot!(check(
            r#"{"timestamp":"2026-03-06T14:32:07Z","event_type":"tool.call","event_id":"00000000-0000-0000-0000-000000000001","parameters":{"ssn":"536-90-4399","note":"ok"},"result":"card 4111 1111 1111 1111","metadata":{"mail":"bob@example.com"}}"#
        ), @r#"{"timestamp":"2026-03-06T14:32:07Z","event_type":"tool.call","event_id":"00000000-0000-0000-0000-000000000001","parameters":{"ssn":"<US_SSN>","note":"ok"},"result":"card <CREDIT_CARD>","metadata":{"mail":"<EMAIL_ADDRESS>"}}"#);
    }

    #[test]
    fn labels_of_parts_stand_in_the_leaf() {
        let written = check(
            r#"{"time":"2026-03-06T14:32:07Z","type":"tool.call","parts":[{"name":"x_4111111111111111","media":"text/4111111111111111","text":"ok"}]}"#,
        );
        assert!(written.contains(r#""name":"part_0","media":"text/<CREDIT_CARD>""#), "{written}");
        assert!(!written.contains("4111"), "{written}");
    }

    #[test]
    fn an_address_stays_where_addresses_belong() {
        insta::assert_snapshot!(check(
            r#"{"timestamp":"2026-03-06T14:32:07Z","requestId":"r","user":{"sub":"auth0|1","email":"alice@example.com 4111111111111111"}}"#
        ), @r#"{"timestamp":"2026-03-06T14:32:07Z","requestId":"r","user":{"sub":"auth0|1","email":"alice@example.com <CREDIT_CARD>"},"contentSafety":{"piiDetected":true,"redactions":[{"type":"CREDIT_CARD","count":1,"path":"/email","stage":"input","action":"redact"}]}}"#);
    }
}
