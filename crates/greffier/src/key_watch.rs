//! Changes of the keys that sign: staged in the keys folder by `greffier keys`, recorded here, and only then in
//! effect. The running server looks once a second; a change that is staged while it is stopped waits for its next
//! start.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use greffier_event::{
    Action, ActionKind, Agent, Draft, Event, EventId, EventType, Part, Resource, Source, Tenant, Timestamp,
};
use greffier_ledger::{Appender, KeyAction, KeyChange, KeyRing};
use serde_json::json;

/// How often it looks: one listing of a small folder.
const PACE: Duration = Duration::from_secs(1);

/// Watches until it is dropped with its task.
pub(crate) async fn watch(appender: Appender, origin: String, node: String) {
    let mut pace = tokio::time::interval(PACE);
    pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut said = None;
    loop {
        pace.tick().await;
        match take_up(&appender, &origin, &node).await {
            Ok(()) => said = None,
            Err(error) => {
                // Said once, not every second: while nothing can be recorded, the change waits.
                let error = format!("{error:#}");
                if said.as_ref() != Some(&error) {
                    tracing::warn!(error, "the keys that sign do not change yet");
                    said = Some(error);
                }
            }
        }
    }
}

/// Records the change that is staged, if there is one, and then puts it into effect.
async fn take_up(appender: &Appender, origin: &str, node: &str) -> anyhow::Result<()> {
    let Some(change) = with_keys(appender, |keys| Ok(keys.staged()?)).await? else { return Ok(()) };
    // Taken in hand only when there is somewhere to write it down.
    if appender.is_recording().is_err() {
        return Ok(());
    }
    let draft = draft(appender.keys(), &change, origin, node)?;
    appender.append(draft).await?;
    let (action, generation) = (verb(change.action), change.generation);
    with_keys(appender, move |keys| Ok(keys.adopt(&change)?)).await?;
    tracing::info!(action, generation, "the keys that sign changed");
    Ok(())
}

/// The event of a change: which key of the node's trail came before, which after. No secret is in it.
fn draft(keys: &KeyRing, change: &KeyChange, origin: &str, node: &str) -> anyhow::Result<Draft> {
    let log = format!("{origin}/{}", Tenant::NODE);
    let (changed, newest) = (change.verifier(&log)?, keys.signer(&log)?.verifier().clone());
    let (old, new) = match change.action {
        KeyAction::Rotate => (newest, changed),
        KeyAction::Retire => (changed, newest),
    };
    let id = |key: &greffier_merkle::note::Verifier| format!("{:08x}", key.key_id());
    let what = json!({
        "action": verb(change.action),
        "generation": change.generation,
        "old": { "key_id": id(&old), "vkey": old.to_string() },
        "new": { "key_id": id(&new), "vkey": new.to_string() },
    });
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?;
    let now = Timestamp::from_micros(i64::try_from(now.as_micros())?);
    let mut event = Event::new(EventId(uuid::Uuid::now_v7()), EventType::DataModify, Tenant::node(), now);
    event.recorded_at = Some(now);
    event.agent = Some(Agent { id: Tenant::NODE.to_owned(), verified: true, ..Default::default() });
    event.action = Some(Action {
        kind: Some(ActionKind::Admin),
        name: format!("key:{}", verb(change.action)),
        ..Default::default()
    });
    let uri = format!("key://signing/{}", change.generation);
    event.resource = Some(Resource { uri: Some(uri), ..Default::default() });
    event.source =
        Some(Source { channel: "gateway".to_owned(), node: Some(node.to_owned()), ..Default::default() });
    let part = Part {
        name: "metadata".to_owned(),
        media: "application/json".to_owned(),
        content: what.to_string().into_bytes(),
    };
    Ok(Draft { event, parts: vec![part] })
}

fn verb(action: KeyAction) -> &'static str {
    match action {
        KeyAction::Rotate => "rotate",
        KeyAction::Retire => "retire",
    }
}

/// Work on the keys folder: it waits for the disk.
async fn with_keys<T: Send + 'static>(
    appender: &Appender,
    work: impl FnOnce(&KeyRing) -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    let appender = appender.clone();
    tokio::task::spawn_blocking(move || work(appender.keys())).await?
}
