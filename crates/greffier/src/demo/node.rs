//! The gateway of the demo: the same one that `serve` runs, on the configuration that lies in the demo's folder.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use greffier_api::Recorder;
use greffier_gateway::{CancellationToken, Clock};
use greffier_ledger::{Ledger, LedgerConfig};
use greffier_query::{Engine, Watch};
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::folder::{CONFIG, Folder};
use crate::config::Config;
use crate::exit::Failure;
use crate::site::ReadSite;
use crate::wire;

/// Longest wait for the gateway to be ready: it starts on an empty folder, or on the demo's few entries.
const START: Duration = Duration::from_secs(20);
/// Between two looks whether it is.
const LOOK: Duration = Duration::from_millis(5);

/// A running gateway with its ledger.
pub(super) struct Node {
    pub(super) engine: Engine,
    /// What looks for the unusual on its trails.
    pub(super) watch: Watch,
    /// Records what is found.
    pub(super) recorder: Recorder,
    pub(super) url: String,
    ledger: Ledger,
    stop: CancellationToken,
    serving: JoinHandle<Result<greffier_gateway::Stopped, greffier_gateway::StartError>>,
}

impl Node {
    /// Starts on the folder's configuration, by this clock, and waits until it is ready.
    pub(super) async fn start(folder: &Folder, listener: TcpListener, clock: Clock) -> anyhow::Result<Node> {
        let address = listener.local_addr()?;
        // The file alone: whatever the environment says is meant for other installations.
        let config = Config::alone(&folder.path(CONFIG))?;
        let (ledger, startup) = Ledger::start(LedgerConfig {
            dir: config.data.clone(),
            keys_dir: config.keys.clone(),
            origin: config.origin.clone(),
            node: config.node.clone(),
            seal: config.seal,
        })?;
        let limits = config.query.clone();
        let mut settings = wire::settings(config)?;
        settings.clock = clock;
        let policies = wire::policies(&settings.policy_dir)?;
        let engine = Engine::new(ledger.reader(), limits)?;
        let site = ReadSite::new(
            engine.clone(),
            ledger.appender(),
            ledger.eraser(),
            settings.node.clone(),
            Arc::clone(&settings.scanner),
            greffier_api::Inspection::Full,
        );
        let (watch, node) = (site.watch().clone(), settings.node.clone());
        let recorder = Recorder::new(engine.clone(), watch.clone(), ledger.appender(), node);
        let (appender, stop) = (ledger.appender(), CancellationToken::new());
        let serving = tokio::spawn({
            let stop = stop.clone();
            async move {
                let serve = greffier_gateway::serve(
                    settings,
                    policies,
                    appender,
                    startup,
                    listener,
                    stop,
                    Some(Arc::new(site)),
                );
                serve.await
            }
        });
        until_ready(address).await?;
        Ok(Node { engine, watch, recorder, url: format!("http://{address}"), ledger, stop, serving })
    }

    /// Stops in good order, so that everything is covered by the manifest.
    pub(super) async fn stop(self) -> anyhow::Result<()> {
        self.stop.cancel();
        // The demo's configuration refuses what it cannot record: nothing is ever left unaccounted.
        let _stopped = self.serving.await??;
        let ledger = self.ledger;
        tokio::task::spawn_blocking(move || ledger.close()).await??;
        Ok(())
    }
}

async fn until_ready(address: SocketAddr) -> anyhow::Result<()> {
    let client: Client<_, Empty<bytes::Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let uri: http::Uri = format!("http://{address}/readyz").parse()?;
    let ready = async {
        loop {
            let answer = client.get(uri.clone()).await?;
            let ready = answer.status().is_success();
            drop(answer.into_body().collect().await);
            if ready {
                return anyhow::Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(START, ready)
        .await
        .map_err(|_| Failure::new("demo", "the demo's gateway does not become ready"))?
}
