//! What the node's trail says about tool definitions: which were seen first, and which changed.

use greffier_event::{Content, Draft, EventType, Part, Place, Stage, Target, Tenant};

use super::pins::{Seen, fingerprint};
use crate::gateway::Gateway;

/// Writes down what is new about a server's tools. Whether that succeeds decides nothing: the list is a call of its
/// own, and on record.
pub(crate) async fn say(gateway: &Gateway, server: &str, definitions: &[(&str, &str)], seen: &[Seen]) {
    let such = |which: Seen| {
        let pairs = definitions.iter().zip(seen);
        pairs.filter(move |(_, seen)| **seen == which).map(|(definition, _)| *definition)
    };
    let first: Vec<serde_json::Value> = such(Seen::First).map(|(name, text)| document(name, text)).collect();
    if !first.is_empty() {
        let what = serde_json::json!({ "server": server, "tools": first });
        note(gateway, server, "mcp:definitions_pinned", format!("mcp://{server}/tools"), &what).await;
    }
    for (name, text) in such(Seen::Changed) {
        tracing::warn!(server, "the definition of an MCP server's tool changed");
        let mut what = document(name, text);
        if let (Some(what), Some(pinned)) = (what.as_object_mut(), gateway.mcp.pins.pinned(server, name)) {
            what.insert("pinned".to_owned(), pinned.into());
        }
        note(gateway, server, "mcp:definition_changed", format!("mcp://{server}/tools/{name}"), &what).await;
    }
}

/// Writes down which pins somebody changed in the file: that is how a changed definition is accepted.
pub(crate) async fn edited(gateway: &Gateway, server: &str, tools: &[String]) {
    tracing::info!(server, tools = tools.len(), "pins of tool definitions were changed");
    let now: Vec<serde_json::Value> = tools
        .iter()
        .map(|tool| serde_json::json!({ "name": tool, "sha256": gateway.mcp.pins.pinned(server, tool) }))
        .collect();
    let what = serde_json::json!({ "server": server, "tools": now });
    note(gateway, server, "mcp:pins_edited", format!("mcp://{server}/tools"), &what).await;
}

fn document(name: &str, text: &str) -> serde_json::Value {
    let definition: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    serde_json::json!({ "name": name, "sha256": fingerprint(text), "definition": definition })
}

async fn note(gateway: &Gateway, server: &str, action: &str, uri: String, what: &serde_json::Value) {
    // A server's words, like any content: the record holds nothing that was found in them.
    let target = Target::Session { server: server.to_owned(), name: action.to_owned() };
    let handling = gateway.handling(&Tenant::node(), &target);
    let bytes = what.to_string().into_bytes();
    let content = Content { place: Place::Body, media: "application/json".to_owned(), bytes };
    let Ok(inspected) = gateway.inspector.content(&content, &handling, Stage::Output) else { return };
    let uri: String = gateway.inspector.leaf_uri(&uri).chars().take(1_024).collect();
    let event = gateway.recorder.node_event(EventType::DataModify, gateway.clock.now(), action, &uri);
    let part = Part { name: "metadata".to_owned(), media: content.media, content: inspected.record };
    // The recorder logs a failure.
    drop(Box::pin(gateway.recorder.append(Draft { event, parts: vec![part] })).await);
}
