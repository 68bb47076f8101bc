//! Import into a data directory that no server has open: the ingest of the read API, without a network between.
//! Whoever holds the data and its keys may.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use greffier_api::{Api, CancellationToken, Visit};
use greffier_event::{Principal, Tenant, Timestamp};
use greffier_ledger::{Ledger, LedgerConfig, LedgerError, SealPolicy};
use greffier_policy::Policies;
use greffier_query::{Engine, Limits};
use http::{Method, Request, header};
use http_body_util::BodyExt;
use serde_json::Value;

use crate::cli;
use crate::config::Config;
use crate::exit::Failure;
use crate::source::choose;
use crate::when;
use crate::witnesses;

/// The only policy in force here.
const POLICY: &str = "@id(\"whoever holds the data and its keys imports\")\n\
                      permit (principal, action == Action::\"ingest\", resource);\n";

/// A ledger of one's own, as long as an import takes.
pub(super) struct OwnLedger {
    ledger: Ledger,
    api: Api,
    policies: Arc<Policies>,
    caller: Principal,
}

impl OwnLedger {
    /// Opens the data directory, which nobody else may have open.
    pub(super) async fn open(args: &cli::Import, named: Option<&Path>) -> anyhow::Result<OwnLedger> {
        let config = Config::load(named)?;
        let (node, scanner, inspection) = (config.node, config.safety.scanner, config.safety.ingest);
        // Whoever signs asks first whether somebody has signed more.
        let anchor = witnesses::anchor(config.anchor)?;
        let ledger_config = LedgerConfig {
            dir: args.place.data.clone().unwrap_or(config.data),
            keys_dir: args.keys.clone().unwrap_or(config.keys),
            origin: config.origin,
            node: node.clone(),
            seal: SealPolicy::default(),
        };
        let (ledger, startup) =
            Ledger::start_witnessed(ledger_config, anchor).map_err(|error| match error {
                LedgerError::Busy => Failure::new("busy", error.to_string())
                    .hint("or ask the server that runs: greffier import FILE --server URL")
                    .into(),
                error => anyhow::Error::from(error),
            })?;
        ledger.appender().is_recording().map_err(|reason| Failure::new("not_recording", reason))?;
        let recovered = startup.recovered.await.context("the data directory does not open")?;
        if recovered.unclean {
            // Dropped here as in a crash: what happened is still there for the server to say.
            let message = "the server on this data directory did not stop in good order";
            return Err(Failure::new("unclean", message)
                .hint("run `greffier serve` once: it puts on record what happened, and closes open calls")
                .into());
        }
        let trails = ledger.reader().trails()?.into_iter().map(|(trail, _)| trail).collect();
        let tenant = match &args.place.tenant {
            Some(tenant) => tenant.clone(),
            None => choose(None, trails)?,
        };
        if tenant.is_node() {
            return Err(Failure::usage("--tenant must say whose events they are").into());
        }
        let engine = Engine::new(ledger.reader(), Limits::default())?;
        let api = Api::new(engine, ledger.appender(), node, scanner).inspecting(inspection);
        let policies = Arc::new(Policies::load(vec![("import.cedar".to_owned(), POLICY.to_owned())])?);
        Ok(OwnLedger { ledger, api, policies, caller: caller(tenant) })
    }

    /// What became of some events, one a line.
    pub(super) async fn ingest(&self, events: Vec<u8>) -> anyhow::Result<Value> {
        let request = Request::builder()
            .method(Method::POST)
            .uri("/api/v1/events?channel=import")
            .header(header::CONTENT_TYPE, "application/x-ndjson")
            .body(())?;
        let visit = Visit {
            parts: request.into_parts().0,
            body: events.into(),
            upload: None,
            caller: Some(self.caller.clone()),
            policies: Arc::clone(&self.policies),
            peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
            now: when::now(),
            request_id: format!("import-{}", uuid::Uuid::now_v7()),
            stop: CancellationToken::new(),
            gone: CancellationToken::new(),
        };
        let answer = self.api.answer(visit).await.into_body().collect().await?.to_bytes();
        let answer: Value = serde_json::from_slice(&answer)?;
        match answer.pointer("/error/message").and_then(Value::as_str) {
            Some(message) => Err(Failure::new("ingest", message).into()),
            None => Ok(answer),
        }
    }

    /// Closes the ledger: everything is signed, and the next start a clean one.
    pub(super) fn close(self) -> anyhow::Result<()> {
        let OwnLedger { ledger, api, .. } = self;
        // Nothing may still append when the ledger closes.
        drop(api);
        Ok(ledger.close()?)
    }
}

/// Who imports here: nobody that anyone vouches for.
fn caller(tenant: Tenant) -> Principal {
    Principal {
        tenant,
        user: None,
        issuer: "greffier:import".to_owned(),
        roles: Vec::new(),
        scopes: Vec::new(),
        email: None,
        agent: "greffier-import".to_owned(),
        tier: None,
        via: Vec::new(),
        via_dropped: 0,
        session: None,
        client_id: None,
        token: None,
        verified: false,
        expires: Timestamp::from_micros(i64::MAX),
    }
}
