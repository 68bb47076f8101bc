//! The gateway of a wrapped command: the one that `serve` runs, in this process, on a port of the loopback that only the
//! bridge knows a token for.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use greffier_gateway::{CancellationToken, Launch, McpServer, OnChange, Transport};
use greffier_ledger::{Ledger, LedgerConfig};
use greffier_policy::dev::DevIssuer;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::folder::Folder;
use crate::config::check::ReachConfig;
use crate::config::{Config, McpConfig};
use crate::{dev_issuer, wire};

/// Longest wait for a tool that works.
const TIMEOUT: Duration = Duration::from_secs(600);

/// A running gateway with its ledger.
pub(crate) struct Node {
    pub(crate) address: SocketAddr,
    ledger: Ledger,
    stop: CancellationToken,
    serving: JoinHandle<Result<greffier_gateway::Stopped, greffier_gateway::StartError>>,
}

impl Node {
    /// Starts a gateway on the folder's configuration, in front of a command. Beside it, who makes the bridge's tokens.
    pub(crate) async fn start(
        folder: &Folder,
        name: &str,
        command: &[String],
    ) -> anyhow::Result<(Node, DevIssuer)> {
        // The file alone: whatever the environment says is meant for other installations.
        let mut config = Config::alone(&folder.config())?;
        let (program, arguments) = command.split_first().context("a command is needed")?;
        let launch = Launch {
            program: program.clone(),
            arguments: arguments.to_vec(),
            environment: Vec::new(),
            processes: 1,
            // It lives as long as its client.
            idle: Duration::from_secs(365 * 24 * 3_600),
        };
        let server = McpServer {
            name: name.to_owned(),
            transport: Transport::Command(launch),
            classification: Vec::new(),
            on_change: OnChange::Flag,
            timeout: TIMEOUT,
            idle_timeout: TIMEOUT,
        };
        // The client's own configuration says what the server sees: we pass it all on.
        let environment = vec!["*".to_owned()];
        // An entry of the file says how this server is governed.
        let written = config.mcp.iter().find(|written| written.server.name == name);
        let server = match written {
            Some(written) => McpServer {
                transport: server.transport,
                classification: written.server.classification.clone(),
                ..written.server.clone()
            },
            None => server,
        };
        config.text.push_str(&format!("\n# the wrapped command: {program}\n"));
        let reach = ReachConfig::default();
        config.mcp = vec![McpConfig { server, reach, credential: None, environment }];
        let issuer = dev_issuer::open(&config.keys)?;
        let (ledger, startup) = Ledger::start(LedgerConfig {
            dir: config.data.clone(),
            keys_dir: config.keys.clone(),
            origin: config.origin.clone(),
            node: config.node.clone(),
            seal: config.seal,
        })?;
        let settings = wire::settings(config)?;
        let policies = wire::policies(&settings.policy_dir)?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (appender, stop) = (ledger.appender(), CancellationToken::new());
        let stopping = stop.clone();
        let serving = tokio::spawn(async move {
            greffier_gateway::serve(settings, policies, appender, startup, listener, stopping, None).await
        });
        Ok((Node { address, ledger, stop, serving }, issuer))
    }

    /// Stops in good order.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.stop.cancel();
        let _stopped = self.serving.await??;
        let ledger = self.ledger;
        tokio::task::spawn_blocking(move || ledger.close()).await??;
        Ok(())
    }
}
