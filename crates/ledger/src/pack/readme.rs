//! The plain words in a pack: what it is, how to check it, what it proves and what it does not.

use super::about::About;

/// The file `README.txt`.
pub(crate) fn text(about: &About) -> String {
    let About { made, made_by, trail, origin, size, search, parts, figures, complete, .. } = about;
    let completeness = match complete {
        Some((first, end)) => format!(
            "This pack is COMPLETE for the entries {first} to {last}: each of them is here, in full or as its leaf hash,
and none was left out. An entry that is here only as its leaf hash is withheld: the packer says that the search does
not find it, and only whoever sees the entry can check that. Of entries outside this range it proves nothing.",
            last = end.saturating_sub(1)
        ),
        None => "This pack is NOT COMPLETE: it proves that the entries in it are on the trail. It does not prove that the
search finds no others: ask for a pack made with --range or --whole-range for that."
            .to_owned(),
    };
    format!(
        "EVIDENCE PACK

Made {made} by {made_by}.
Trail    {trail} ({origin}), as of its checkpoint of {size} entries
Search   {search}
Parts    {parts}
Found    {found} entries; beside them {beside} entries in full and {withheld} as leaf hashes
         {shown} parts shown, {parts_withheld} withheld, {gone} gone (erased or expired)

An agent's calls were recorded by Greffier, each before it happened, as entries of an append-only trail. This pack
holds some of these entries, and the proof that they are on the trail.

HOW TO CHECK IT WITH GREFFIER

  greffier verify PACK --trust POLICY

POLICY is the trust policy that you got from the operator earlier, or from somebody you trust: never take the file
`trust` in this pack for it. Without --trust the answer is NOT ANCHORED: then the pack agrees with itself, and whoever
made it can have made up all of it. --from CHECKPOINT and --receipt RECEIPT compare it with what you have kept.

HOW TO CHECK IT BY HAND, WITH SHA-256 ALONE

1. The files are whole:  sha256sum -c SHA256SUMS
2. `checkpoint` begins with the trail's origin, the number of entries, and the root hash (base64). The lines that
   begin with a dash are signatures over the lines above the empty one (C2SP signed-note, Ed25519): of the trail's
   key, and of witnesses. Check them with your own trust policy.
3. In events/*.jsonl each line with `entry` is one entry; its leaf hash is the SHA-256 of a zero byte and the entry:
     (printf '\\000'; sed -n 1p events/00001.jsonl | jq -j .entry) | openssl dgst -sha256 -binary | base64
   A line with `leaf` holds the leaf hash of an entry that is withheld.
4. Each line with `run` proves the entries from the first number on to before the second, which stand right above it:
     nodes = their leaf hashes; at = first; width = entries that the checkpoint covers
     until width is 1:
       if at is odd: put the next hash of `proof` before nodes; at = at - 1
       if at + count(nodes) is odd and below width: put the next hash of `proof` behind nodes
       pair up: of each two nodes take SHA-256(one byte 1, left, right); an odd last one stays as it is
       at = at / 2; width = (width + 1) / 2, both rounded down
   The one node left must be the root hash in `checkpoint`, and no hash of `proof` may be left over. (This is the tree
   of RFC 6962; of a single entry `proof` is its ordinary inclusion proof.)
5. A part with `salt` and `content` has as its commitment HMAC-SHA256, under the salt as the key, of:
   \"greffier/part/v1\", a zero byte, the 16 bytes of the event's id, the length of the part's name (2 bytes,
   big-endian), the name, the length of the content (8 bytes, big-endian), the content. Over the commitments of all its
   parts, in order and as if they were leaf hashes, the root of the same tree is the entry's `parts_root`.

WHAT IT PROVES

- Each entry stood on the trail, at its index, when the checkpoint was signed; and not a byte of it was changed since.
- A part that is shown is the one that was recorded with its entry. A part that is withheld exists, and was not shown.
- A part that is gone was erased, or was kept as long as it was to be kept; the entry that says so is in this pack.
- {completeness}

WHAT IT DOES NOT PROVE

- That what an entry says is true. Greffier itself observed entries with the channel `gateway`; all others
  are claims of whoever sent them. `verified` says whether an identity was.
- That there is only one history: that is for witnesses to say, whose signatures are in `checkpoint`, if there are any.
- When an entry was written, beyond what the witnesses' times bound.
- Anything about pack.json, this text, the file `trust`, and report.json and report.html if they are here: they are the
  packer's words, and no signature covers them. A report's figures are answers to the statements in it: whoever has the
  trail runs them again; the events that it shows as samples and exceptions are in this pack, and proved by it.
  The figures and the range in pack.json are counted again by `greffier verify`.
",
        found = figures.found,
        beside = figures.beside,
        withheld = figures.withheld,
        shown = figures.parts_shown,
        parts_withheld = figures.parts_withheld,
        gone = figures.parts_gone,
    )
}
