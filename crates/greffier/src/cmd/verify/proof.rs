//! A C2SP proof: the entry it carries, its place in the tree, and who signed the tree.

use std::path::Path;

use greffier_ledger::verify::VerifyOptions;
use greffier_ledger::{DisclosedPart, Disclosure};
use greffier_merkle::note::SignedNote;
use greffier_merkle::proof::verify_inclusion;
use greffier_merkle::tlog_proof::MAX_PROOF;
use greffier_merkle::{Checkpoint, TlogProof, TrustPolicy};
use serde_json::{Value, json};

use super::NOT_ANCHORED;
use crate::exit::{Exit, Failure};
use crate::output::{Format, Output};
use crate::wire;

/// What every version of the format begins with.
const MAGIC: &[u8] = b"c2sp.org/tlog-proof@";

pub(super) fn verify(
    path: &Path,
    options: &VerifyOptions,
    own: Option<&TrustPolicy>,
    output: Output,
) -> anyhow::Result<Exit> {
    let bytes = wire::read(path, MAX_PROOF as u64)?;
    if !bytes.starts_with(MAGIC) {
        let message = format!("`{}` is neither a data directory nor a proof", path.display());
        return Err(Failure::new("not_a_proof", message).into());
    }
    let text = String::from_utf8(bytes).map_err(invalid)?;
    check(&text, options, own)?.tell(output)
}

/// What a proof shows once it holds.
struct Shown {
    disclosure: Disclosure,
    event: Value,
    parts: Vec<Value>,
    index: u64,
    checkpoint: Checkpoint,
    anchored: bool,
    signed: bool,
}

/// The proof does not hold: not as it was made, or not of whom we trust.
fn invalid(reason: impl std::fmt::Display) -> Failure {
    Failure::new("invalid", format!("INVALID: {reason}")).exit(Exit::Tampering)
}

fn check(text: &str, options: &VerifyOptions, own: Option<&TrustPolicy>) -> Result<Shown, Failure> {
    let trust = options.trust.as_ref();
    let proof = TlogProof::parse(text).map_err(invalid)?;
    let extra = proof.extra.as_deref().ok_or_else(|| invalid("it does not carry its entry"))?;
    let disclosure = Disclosure::from_bytes(extra).map_err(invalid)?;
    let event = disclosure.check().map_err(invalid)?;
    let leaf = disclosure.leaf_hash();
    let checkpoint = match trust.or(own) {
        Some(trust) => {
            let known = |origin: &str| trust.logs().iter().any(|log| log.verifier.name() == origin);
            let origin = unsigned(&proof.checkpoint)?.origin;
            if !known(&origin) {
                let failure =
                    Failure::new("untrusted", format!("nobody here vouches for the log `{origin}`"));
                return Err(failure.hint("name whom to trust with --trust"));
            }
            proof.verify(&leaf, trust).map_err(invalid)?
        }
        None => {
            let head = unsigned(&proof.checkpoint)?;
            verify_inclusion(proof.index, head.size, &leaf, &proof.hashes, &head.root).map_err(invalid)?;
            head
        }
    };
    // An entry belongs on the trail of its own tenant, the last step of the log's name.
    let tenant = event.tenant.as_str();
    if checkpoint.origin.rsplit('/').next() != Some(tenant) {
        return Err(invalid(format!("the entry is of tenant {tenant}, the log is {}", checkpoint.origin)));
    }
    let parts =
        disclosure.parts.iter().zip(&event.parts).map(|(part, named)| shown(part, &named.name)).collect();
    let event = serde_json::from_slice(&disclosure.entry).map_err(invalid)?;
    let kept = kept(options, &proof, &leaf, &checkpoint)?;
    let (anchored, signed) = (trust.is_some() || kept, trust.or(own).is_some());
    Ok(Shown { disclosure, event, parts, index: proof.index, checkpoint, anchored, signed })
}

/// Holds the proof against receipts and checkpoints that were kept; says whether any of them speaks for it. One that
/// neither does nor contradicts it says nothing: between two sizes only the trail itself can show that one grew from
/// the other.
fn kept(
    options: &VerifyOptions,
    proof: &TlogProof,
    leaf: &greffier_merkle::Hash,
    checkpoint: &Checkpoint,
) -> Result<bool, Failure> {
    let tenant = checkpoint.origin.rsplit('/').next();
    let ours = |trail: &str| trail == checkpoint.origin || Some(trail) == tenant;
    let mut anchored = false;
    for receipt in options.receipts.iter().filter(|kept| ours(&kept.trail) && kept.index == proof.index) {
        if receipt.leaf_hash != *leaf {
            return Err(invalid("the entry is another one than the receipt's"));
        }
        anchored = true;
    }
    for note in &options.from {
        let head = unsigned(note)?;
        if head.origin == checkpoint.origin && head.size == checkpoint.size {
            if head.root != checkpoint.root {
                return Err(invalid("the trail is another one than that of the checkpoint that was kept"));
            }
            anchored = true;
        }
    }
    Ok(anchored)
}

/// What the checkpoint says, its signatures not looked at.
fn unsigned(note: &str) -> Result<Checkpoint, Failure> {
    let note = SignedNote::parse(note).map_err(invalid)?;
    Checkpoint::parse(note.text()).map_err(invalid)
}

fn shown(part: &DisclosedPart, name: &str) -> Value {
    match part {
        DisclosedPart::Shown { content, .. } => {
            json!({"name": name, "status": "VALID", "content": String::from_utf8_lossy(content)})
        }
        DisclosedPart::Withheld { .. } => json!({"name": name, "status": "WITHHELD"}),
    }
}

impl Shown {
    fn tell(self, output: Output) -> anyhow::Result<Exit> {
        if !self.signed {
            output.warn("nobody's signature was checked: name whom to trust with --trust");
        }
        match output.format {
            Format::Table => self.lines().iter().try_for_each(|line| output.line(line))?,
            Format::Json | Format::Jsonl | Format::Csv => {
                let columns = ["verdict", "anchored", "origin", "index", "size", "event", "parts"];
                output.object(&columns, &self.document())?;
            }
        }
        Ok(Exit::Ok)
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = vec![String::from_utf8_lossy(&self.disclosure.entry).into_owned()];
        let text =
            |part: &Value, field: &str| part.get(field).and_then(Value::as_str).unwrap_or("").to_owned();
        for part in &self.parts {
            let told =
                format!("part {}: {} {}", text(part, "name"), text(part, "status"), text(part, "content"));
            lines.push(told.trim_end().to_owned());
        }
        let Checkpoint { origin, size, .. } = &self.checkpoint;
        lines.push(format!("entry {} of {origin}, in a checkpoint of {size} entries", self.index));
        lines.push(self.verdict());
        lines
    }

    /// Valid is only what somebody signed, and anchored only what somebody outside was trusted for.
    fn verdict(&self) -> String {
        match (self.signed, self.anchored) {
            (_, true) => "VALID".to_owned(),
            (true, false) => format!("VALID, {NOT_ANCHORED}"),
            (false, false) => NOT_ANCHORED.to_owned(),
        }
    }

    fn document(&self) -> Value {
        json!({
            "verdict": self.verdict(),
            "anchored": self.anchored,
            "signature_checked": self.signed,
            "origin": self.checkpoint.origin,
            "index": self.index,
            "size": self.checkpoint.size,
            "event": self.event,
            "parts": self.parts,
        })
    }
}
