//! What the tests of this crate share: a world with a ledger, keys and the starter policies, and one helper that
//! sends a request into it.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use greffier_event::{Principal, Tenant, Timestamp};
use greffier_ledger::{Appender, KeyRing, Ledger, LedgerConfig, Reader, SealPolicy};
use greffier_policy::{Policies, SAMPLE_POLICIES};
use greffier_safety::Scanner;
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use serde_json::Value;

use crate::{Api, Body, CancellationToken, Unreadable, Visit};
use greffier_query::Engine;

/// The moment at which everything happens.
pub(crate) const NOW: &str = "2026-03-06T14:32:07.891000Z";

/// One key ring for tests that only need keys.
pub(crate) fn keys() -> Arc<KeyRing> {
    static KEYS: LazyLock<(tempfile::TempDir, Arc<KeyRing>)> = LazyLock::new(|| {
        let dir = tempfile::tempdir().unwrap();
        let keys = KeyRing::create(dir.path()).unwrap();
        (dir, Arc::new(keys))
    });
    Arc::clone(&KEYS.1)
}

/// A node: its ledger, its policies, and the API over both.
pub(crate) struct World {
    pub(crate) api: Api,
    ledger: Option<Ledger>,
    policies: Arc<Policies>,
    dir: tempfile::TempDir,
}

/// An answer, read whole.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Vec<u8>,
    /// Why its request's body could not be taken, if it could not.
    pub(crate) unreadable: Option<Unreadable>,
}

impl World {
    pub(crate) async fn new() -> World {
        let dir = tempfile::tempdir().unwrap();
        KeyRing::create(&dir.path().join("keys")).unwrap();
        World::on(dir, SealPolicy::default()).await
    }

    /// One that seals after so many entries.
    pub(crate) async fn sealing(entries: u64) -> World {
        let dir = tempfile::tempdir().unwrap();
        KeyRing::create(&dir.path().join("keys")).unwrap();
        World::on(dir, SealPolicy { entries, ..SealPolicy::default() }).await
    }

    /// Waits until a trail has so many segments.
    pub(crate) async fn wait_for_segments(&self, name: &str, segments: usize) {
        for _ in 0..400 {
            let reader = Reader::open(&self.dir.path().join("data")).unwrap();
            if reader.snapshot(&tenant(name)).unwrap().segments.len() >= segments {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        panic!("no {segments} segments of {name}");
    }

    async fn on(dir: tempfile::TempDir, seal: SealPolicy) -> World {
        let config = LedgerConfig {
            dir: dir.path().join("data"),
            keys_dir: dir.path().join("keys"),
            origin: "greffier.test".to_owned(),
            node: "gw-1".to_owned(),
            seal,
        };
        let (ledger, startup) = Ledger::start(config).unwrap();
        startup.recovered.await.unwrap();
        let files = SAMPLE_POLICIES.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        let policies = Arc::new(Policies::load(files.collect()).unwrap());
        let engine = engine(ledger.reader());
        let api =
            Api::new(engine, ledger.appender(), "gw-1", Arc::new(Scanner::new())).erasing(ledger.eraser());
        World { api, ledger: Some(ledger), policies, dir }
    }

    pub(crate) fn appender(&self) -> Appender {
        self.ledger.as_ref().unwrap().appender()
    }

    /// Stops the ledger: from now on nothing can be recorded.
    pub(crate) fn stop_recording(&mut self) {
        self.ledger.take().unwrap().close().unwrap();
    }

    /// What is on a trail, entry by entry.
    pub(crate) fn trail(&self, name: &str) -> Vec<Value> {
        let mut entries = Vec::new();
        let reader = Reader::open(&self.dir.path().join("data")).unwrap();
        let tenant = tenant(name);
        let size = reader.trails().unwrap().into_iter().find(|(other, _)| *other == tenant);
        for index in 0..size.map_or(0, |(_, size)| size) {
            let found = reader.entry(&tenant, index).unwrap().unwrap();
            entries.push(serde_json::from_slice(&found.entry).unwrap());
        }
        entries
    }

    /// The same node after its recording stopped and began again.
    pub(crate) async fn restarted(self) -> World {
        let World { api, ledger, policies, dir } = self;
        // They hold the keys.
        drop((api, ledger, policies));
        World::on(dir, SealPolicy::default()).await
    }

    /// The same node after all keys of contents were destroyed, as an erasure would.
    pub(crate) async fn without_holders(mut self) -> World {
        self.stop_recording();
        std::fs::remove_file(self.dir.path().join("keys").join("users.keys")).unwrap();
        World::on(self.dir, SealPolicy::default()).await
    }

    /// Waits until the signed head of a trail covers so many entries.
    pub(crate) async fn wait_for_checkpoint(&self, name: &str, size: u64) {
        let path = format!("/trails/{name}/checkpoint");
        for _ in 0..200 {
            let note = self.send(self.visit(None, Method::GET, &path)).await;
            if note.status == 200
                && note.text().lines().nth(1).is_some_and(|head| head.parse::<u64>().unwrap() >= size)
            {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        panic!("no checkpoint of {name} with {size} entries");
    }

    pub(crate) fn visit(&self, who: Option<Principal>, method: Method, path: &str) -> Visit {
        let (parts, ()) = Request::builder().method(method).uri(path).body(()).unwrap().into_parts();
        Visit {
            parts,
            body: Bytes::new(),
            upload: None,
            caller: who,
            policies: Arc::clone(&self.policies),
            peer: "::ffff:192.0.2.7".parse().unwrap(),
            now: now(),
            request_id: "req_1".to_owned(),
            stop: CancellationToken::new(),
            gone: CancellationToken::new(),
        }
    }

    pub(crate) async fn get(&self, who: &str, path: &str) -> Answer {
        self.send(self.visit(Some(principal(who)), Method::GET, path)).await
    }

    pub(crate) async fn post(&self, who: &str, path: &str, media: &str, body: &str) -> Answer {
        let mut visit = self.visit(Some(principal(who)), Method::POST, path);
        visit.parts.headers.insert(http::header::CONTENT_TYPE, media.parse().unwrap());
        visit.body = Bytes::from(body.to_owned());
        self.send(visit).await
    }

    pub(crate) async fn send(&self, visit: Visit) -> Answer {
        read(self.api.answer(visit).await).await
    }
}

pub(crate) async fn read(response: Response<Body>) -> Answer {
    let (mut parts, body) = response.into_parts();
    let unreadable = parts.extensions.remove::<Unreadable>();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    Answer { status: parts.status.as_u16(), headers: parts.headers, body, unreadable }
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Status and body, with what differs from run to run masked.
    pub(crate) fn shown(&self) -> String {
        let text = match serde_json::from_slice::<Value>(&self.body) {
            Ok(json) => serde_json::to_string_pretty(&masked(json)).unwrap(),
            Err(_) => self.text(),
        };
        format!("{}\n{text}", self.status)
    }
}

/// Minted ids, hashes, receipts and references give way to their names.
pub(crate) fn masked(mut json: Value) -> Value {
    fn mask(json: &mut Value) {
        match json {
            Value::Object(members) => {
                for (name, value) in members.iter_mut() {
                    let is = |names: &[&str]| names.contains(&name.as_str());
                    match value {
                        Value::String(text)
                            if is(&["leaf", "receipt", "parts_root", "version", "next", "digest"]) =>
                        {
                            *text = format!("<{name}>");
                        }
                        Value::String(text) if is(&["id"]) && text.starts_with("019") => {
                            *text = "<id>".to_owned();
                        }
                        Value::String(text) if text.starts_with("ref:") => *text = "<ref>".to_owned(),
                        value => mask(value),
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(mask),
            _ => {}
        }
    }
    mask(&mut json);
    json
}

pub(crate) fn now() -> Timestamp {
    NOW.parse().unwrap()
}

pub(crate) fn tenant(name: &str) -> Tenant {
    Tenant::new(name).unwrap()
}

/// `auditor@acme`: somebody of that role and tenant; `auditor+operator@acme` has both roles.
pub(crate) fn principal(who: &str) -> Principal {
    let (roles, tenant_name) = who.split_once('@').unwrap();
    Principal {
        tenant: tenant(tenant_name),
        user: Some(format!("auth0|{roles}")),
        issuer: "https://idp.example".to_owned(),
        roles: roles.split('+').map(str::to_owned).collect(),
        scopes: Vec::new(),
        email: None,
        agent: "console".to_owned(),
        tier: None,
        via: Vec::new(),
        via_dropped: 0,
        session: None,
        client_id: Some("console-1".to_owned()),
        token: Some("ab".repeat(32)),
        verified: true,
        expires: Timestamp::from_micros(now().as_micros() + 3_600_000_000),
    }
}

fn engine(reader: Reader) -> Engine {
    Engine::new(reader, greffier_query::Limits::default()).unwrap()
}
