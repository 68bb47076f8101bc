//! Evidence: proofs, and the trails themselves as C2SP tlog-tiles serves them.
//!
//! Checkpoints and hash tiles are for everyone: they are hashes, and worth the more the more people keep them.
//! Entry bundles are the trail, and take a reader.

use greffier_event::Tenant;
use greffier_ledger::{Found, Heads, Level, ReadError, Reader};
use greffier_merkle::note::SignedNote;
use greffier_merkle::tile::{TileId, WIDTH, parse_entries_path};
use greffier_merkle::{Checkpoint, bundle};
use greffier_policy::AdminAction;
use http::{HeaderValue, Response, header};
use serde::Serialize;

use crate::admit::Wish;
use crate::api::{Api, Request};
use crate::level;
use crate::lookup::event_id;
use crate::refuse::Refused;
use crate::respond::{self, BINARY, TEXT};
use crate::visit::Body;

/// A tile never changes.
const FOREVER: &str = "public, max-age=31536000, immutable";
/// Nor does a bundle, but it is for its reader.
const FOREVER_MINE: &str = "private, max-age=31536000, immutable";
/// A checkpoint is signed each second.
const SECONDS: &str = "public, max-age=2";

#[derive(Serialize)]
struct Trails {
    trails: Vec<Trail>,
}

#[derive(Serialize)]
struct Trail {
    name: String,
    /// Entries on it.
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    checkpoint: Option<Head>,
}

/// What the checkpoint says, for people; who verifies takes the note itself.
#[derive(Serialize)]
struct Head {
    origin: String,
    size: u64,
    /// Base64.
    root: String,
}

/// `GET /api/v1/proofs/{event_id}`.
pub(crate) async fn proof(api: &Api, request: Request) -> Result<Response<Body>, Refused> {
    let id = event_id(request.matched.capture("event_id"))?;
    let with_parts = request.params.flag("parts", false)?;
    let asked = level::asked(&request.params)?;
    if asked == Some(Level::Durable) {
        return Err(Refused::bad_parameter("a proof shows that an entry is integrated or witnessed"));
    }
    let wish = Wish {
        action: AdminAction::ReadTrail,
        name: "trail:proof",
        place: format!("proofs/{id}"),
        asked: Some(serde_json::json!({ "parts": with_parts })),
    };
    let admitted = api.admit(&request.visit, request.caller()?, request.named_trail(), wish).await?;
    let trail = admitted.trail().clone();
    let row = api.engine.event(&trail, id).await?;
    let index = row.ok_or_else(|| Refused::not_found("no event of this trail has this id"))?.index;
    let heads = api.appender.heads();
    let wanted = asked.or(heads.requires_witnesses(&trail).then_some(Level::Witnessed));
    if let Some(wanted) = wanted {
        api.must_reach(&trail, index, wanted, &request.visit.stop).await?;
    }
    let level = heads.level(&trail, index);
    let appender = api.appender.clone();
    let proof = api
        .read(move |reader| {
            let keys = with_parts.then(|| appender.keys());
            match reader.prove_at(&trail, index, keys, level) {
                // Erased contents are no reason to withhold the proof.
                Err(ReadError::NoKey(_)) => reader.prove_at(&trail, index, None, level),
                proof => proof,
            }
        })
        .await?;
    let mut response = respond::bytes(TEXT, proof.to_text());
    level::mark(response.headers_mut(), level.max(Level::Integrated));
    respond::mark(response.headers_mut(), &request.visit.request_id, admitted.receipt().as_deref());
    Ok(response)
}

/// `GET /api/v1/trails`.
pub(crate) async fn trails(api: &Api, request: Request) -> Result<Response<Body>, Refused> {
    let caller = request.caller()?;
    let wish =
        Wish { action: AdminAction::ReadTrail, name: "trail:list", place: "trails".to_owned(), asked: None };
    let admitted = api.admit(&request.visit, caller, None, wish).await?;
    let mut names = vec![admitted.trail().clone()];
    if api.may_read_node(&request.visit, caller) {
        names.push(Tenant::node());
    }
    let heads = api.appender.heads().clone();
    let trails = api
        .read(move |reader| {
            let sizes = reader.trails()?;
            let trail = |name: &Tenant| {
                let size = sizes.iter().find(|(other, _)| other == name).map_or(0, |(_, size)| *size);
                Ok(Trail { name: name.to_string(), size, checkpoint: head(reader, &heads, name)? })
            };
            names.iter().map(trail).collect::<Result<Vec<_>, ReadError>>()
        })
        .await?;
    let mut response = respond::json(&Trails { trails })?;
    respond::mark(response.headers_mut(), &request.visit.request_id, admitted.receipt().as_deref());
    Ok(response)
}

/// The checkpoint that is shown: the one that witnesses cosigned where there is one, and no other where it must be.
fn shown(reader: &Reader, heads: &Heads, trail: &Tenant) -> Result<Option<String>, ReadError> {
    let cosigned = if heads.is_witnessed() { reader.cosigned(trail)? } else { None };
    if cosigned.is_some() || heads.requires_witnesses(trail) {
        Ok(cosigned)
    } else {
        reader.checkpoint(trail)
    }
}

fn head(reader: &Reader, heads: &Heads, trail: &Tenant) -> Result<Option<Head>, ReadError> {
    use base64::Engine as _;
    let note = shown(reader, heads, trail)?;
    let checkpoint = note.and_then(|note| Checkpoint::parse(SignedNote::parse(&note).ok()?.text()).ok());
    Ok(checkpoint.map(|checkpoint| Head {
        origin: checkpoint.origin.clone(),
        size: checkpoint.size,
        root: base64::prelude::BASE64_STANDARD.encode(checkpoint.root),
    }))
}

/// `GET /trails/{tenant}/checkpoint`.
pub(crate) async fn checkpoint(api: &Api, request: Request) -> Result<Response<Body>, Refused> {
    let trail = trail(&request)?;
    let heads = api.appender.heads().clone();
    let note = api.read(move |reader| shown(reader, &heads, &trail)).await?;
    let note = note.ok_or_else(|| Refused::not_found("no trail of this name has a checkpoint"))?;
    Ok(respond::cached(respond::bytes(TEXT, note), SECONDS))
}

/// `GET /trails/{tenant}/tile/…`: hashes.
pub(crate) async fn tile(api: &Api, request: Request) -> Result<Response<Body>, Refused> {
    let trail = trail(&request)?;
    let path = format!("tile/{}", request.matched.capture("tile"));
    let tile = TileId::parse(&path).map_err(|error| Refused::not_found(error.to_string()))?;
    let bytes = api.read(move |reader| reader.tile(&trail, tile)).await?;
    let mut bytes = bytes.ok_or_else(|| Refused::not_found("the trail has no such tile"))?;
    // Of a partial tile the trail may by now hold a wider one.
    bytes.truncate(tile.byte_len());
    Ok(respond::cached(respond::bytes(BINARY, bytes), FOREVER))
}

/// `GET /trails/{tenant}/tile/entries/…`: the entries themselves.
pub(crate) async fn entries(api: &Api, request: Request) -> Result<Response<Body>, Refused> {
    let tile = request.matched.capture("tile");
    let (bundle, width) = parse_entries_path(&format!("tile/entries/{tile}"))
        .map_err(|error| Refused::not_found(error.to_string()))?;
    let first = bundle.checked_mul(WIDTH).ok_or_else(no_bundle)?;
    let wish = Wish {
        action: AdminAction::ReadTrail,
        name: "trail:entries",
        place: format!("tile/entries/{tile}"),
        asked: None,
    };
    let named = Some(request.matched.capture("tenant"));
    let admitted = api.admit(&request.visit, request.caller()?, named, wish).await?;
    let trail = admitted.trail().clone();
    let gzip = respond::takes_gzip(&request.visit.parts.headers);
    let end = first.saturating_add(u64::from(width));
    let heads = api.appender.heads().clone();
    let found = api
        .read(move |reader| {
            // What is recorded but not signed yet is in no tree that anyone could hold the bundle against.
            let size = head(reader, &heads, &trail)?.map_or(0, |head| head.size);
            let kept = reader.first(&trail)?;
            if end > size {
                Ok(Vec::new())
            } else if first < kept {
                // A bundle is whole or not at all.
                Err(ReadError::Expired { trail: trail.to_string(), index: first, first: kept })
            } else {
                reader.entries(&trail, &(first..end).collect::<Vec<_>>())
            }
        })
        .await?;
    if found.len() != usize::from(width) {
        return Err(no_bundle());
    }
    let bytes = tokio::task::spawn_blocking(move || bundled(&found, gzip)).await;
    let bytes = bytes.map_err(|error| Refused::internal("writing a bundle", &error))??;
    let mut response = respond::cached(respond::bytes(BINARY, bytes), FOREVER_MINE);
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if gzip {
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    respond::mark(response.headers_mut(), &request.visit.request_id, admitted.receipt().as_deref());
    Ok(response)
}

fn bundled(found: &[Found], gzip: bool) -> Result<Vec<u8>, Refused> {
    let mut bytes = Vec::new();
    for found in found {
        bundle::append(&mut bytes, &found.entry)
            .map_err(|error| Refused::internal("writing a bundle", &error))?;
    }
    if gzip {
        return respond::gzip(&bytes).map_err(|error| Refused::internal("writing a bundle", &error));
    }
    Ok(bytes)
}

fn trail(request: &Request) -> Result<Tenant, Refused> {
    Tenant::new(request.matched.capture("tenant"))
        .map_err(|_| Refused::not_found("no trail of this name has a checkpoint"))
}

fn no_bundle() -> Refused {
    Refused::not_found("the trail has no such bundle")
}
