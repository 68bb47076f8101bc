//! Heads on record: once a minute the node's own trail lists the heads of the others, in a part. A trail that was cut,
//! changed or left out since contradicts the list, and whoever anchored the node's trail has anchored all of them.
//!
//! Only with keys can lists be read. Each head is held against the tiles on disk; that these are what the entries give,
//! is checked for every one of them elsewhere.

use greffier_event::{Event, Tenant};
use greffier_merkle::Hash;
use greffier_merkle::proof::{root, tile_reader};
use serde::Deserialize;

use crate::publish::read_tile;
use crate::seal::OpenedPart;
use crate::store::Disk;

/// The action of the node's events that list heads.
const ACTION: &str = "node:heads";

#[derive(Deserialize)]
struct List {
    heads: Vec<Listed>,
}

/// A head that is on record.
#[derive(Debug, Deserialize)]
struct Listed {
    trail: Tenant,
    size: u64,
    root: String,
}

/// Whether an event of this trail lists heads.
pub(super) fn lists(trail: &str, event: &Event) -> bool {
    trail == Tenant::NODE
        && event.agent.as_ref().is_some_and(|agent| agent.id == Tenant::NODE)
        && event.source.as_ref().is_some_and(|source| source.channel == "gateway")
        && event.action.as_ref().is_some_and(|action| action.name == ACTION)
}

/// What is wrong with the trails, as the content of such an event has them.
pub(super) fn check(disk: &Disk, part: &OpenedPart) -> Result<(), String> {
    let list: List = serde_json::from_slice(&part.content)
        .map_err(|error| format!("part `{}` is not a list of heads: {error}", part.name))?;
    let wrong: Vec<String> = list.heads.iter().filter_map(|head| contradiction(disk, head)).collect();
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
}

fn contradiction(disk: &Disk, head: &Listed) -> Option<String> {
    let Listed { trail, size, root: listed } = head;
    let listed: Option<Hash> = hex::decode(listed).ok().and_then(|root| root.try_into().ok());
    // Every head was signed before it was listed, and its tiles were on disk before that.
    let fetch = |tile| read_tile(disk, trail.as_str(), &tile).ok().flatten();
    match (root(*size, &mut tile_reader(*size, fetch)), listed) {
        (_, None) => Some(format!("the head of trail {trail} on record is no hash")),
        (None, _) => Some(format!("trail {trail} had {size} entries, and has not as many now")),
        (Some(found), Some(listed)) if found != listed => {
            Some(format!("the root of trail {trail} at size {size} is another one than that on record"))
        }
        _ => None,
    }
}
