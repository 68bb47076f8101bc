//! The stage: the demo's own servers, the gateway's address, and the installation that knows both.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use anyhow::Context;
use greffier_event::Timestamp;
use greffier_gateway::Clock;

use super::folder::{Folder, TOKENS};
use super::loopback::{Host, Port};
use super::node::Node;
use super::people::{PEOPLE, Person, through_agent};
use super::provider::Provider;
use super::setup::{self, Hosts};
use super::tools::Tools;
use super::upstream::Models;

/// Where the gateway is to be found by default, so that what is read elsewhere works here.
const USUAL: u16 = 4180;
/// How long the tokens for trying things are good for, in seconds: a long day.
const TOKEN_LIFE: u32 = 12 * 3_600;

/// Everything that a run needs around its gateway.
pub(super) struct Stage {
    pub(super) provider: Arc<Provider>,
    pub(super) models: Arc<Models>,
    /// Held for the whole run: between two gateways the address stays ours.
    listener: TcpListener,
}

impl Stage {
    /// Starts the servers and writes the installation. A run that ends on its own takes any address.
    pub(super) async fn set(folder: &Folder, once: bool) -> anyhow::Result<Stage> {
        let ports = (Port::take().await?, Port::take().await?, Port::take().await?);
        let hosts = Hosts {
            provider: ports.0.url().to_owned(),
            models: ports.1.url().to_owned(),
            tools: ports.2.url().to_owned(),
        };
        let provider = Arc::new(Provider::new(&hosts.provider)?);
        let models = Arc::new(Models::default());
        ports.0.serve(Arc::clone(&provider) as Arc<dyn Host>);
        ports.1.serve(Arc::clone(&models) as Arc<dyn Host>);
        ports.2.serve(Arc::new(Tools));
        let listener = listen(once)?;
        setup::write(folder, listener.local_addr()?, &hosts)?;
        Ok(Stage { provider, models, listener })
    }

    /// A gateway on the stage, by this clock.
    pub(super) async fn node(&self, folder: &Folder, clock: Clock) -> anyhow::Result<Node> {
        let listener = tokio::net::TcpListener::from_std(self.listener.try_clone()?)?;
        Node::start(folder, listener, clock).await
    }

    /// A token for each of the demo's people, in a file of their name.
    pub(super) fn write_tokens(&self, folder: &Folder, now: Timestamp) -> anyhow::Result<()> {
        folder.folder(TOKENS)?;
        for person in PEOPLE {
            let id = format!("token-of-{}", person.sub);
            let token = self.provider.mint(through_agent(person), None, &id, now, TOKEN_LIFE)?;
            folder.write(&token_of(person), &token)?;
        }
        Ok(())
    }
}

/// Where somebody's token lies in the folder.
pub(super) fn token_of(person: &Person) -> String {
    format!("{TOKENS}/{}", person.sub)
}

fn listen(once: bool) -> anyhow::Result<TcpListener> {
    let at = |port| TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port)));
    let usual = if once { None } else { at(USUAL).ok() };
    let listener = usual.map_or_else(|| at(0), Ok).context("cannot listen on 127.0.0.1")?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}
