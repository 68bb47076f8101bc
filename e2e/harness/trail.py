"""Checks trails from their published files alone: RFC 6962 and the C2SP formats, over hashlib and `cryptography`."""

import base64
import hashlib


def leaf_hash(entry):
    """RFC 6962: the hash of a leaf."""
    return hashlib.sha256(b"\0" + entry).digest()


def tree_root(leaves):
    """RFC 6962: the root over leaf hashes."""
    if not leaves:
        return hashlib.sha256().digest()
    level = list(leaves)
    while len(level) > 1:
        paired = [
            hashlib.sha256(b"\1" + level[at] + level[at + 1]).digest() for at in range(0, len(level) - 1, 2)
        ]
        level = paired + level[len(paired) * 2:]
    return level[0]


class Tree:
    """A tree that grows leaf by leaf, and knows its root at each size."""

    def __init__(self):
        self.size = 0
        self.edge = []  # roots of the full subtrees, largest first, with their sizes

    def add(self, leaf):
        self.size += 1
        node, width = leaf, 1
        while self.edge and self.edge[-1][1] == width:
            left, _ = self.edge.pop()
            node, width = hashlib.sha256(b"\1" + left + node).digest(), width * 2
        self.edge.append((node, width))

    def root(self):
        if not self.edge:
            return hashlib.sha256().digest()
        node = self.edge[-1][0]
        for left, _ in reversed(self.edge[:-1]):
            node = hashlib.sha256(b"\1" + left + node).digest()
        return node


def tile_path(level, index, width=256):
    """C2SP tlog-tiles: where a tile lies."""
    digits = f"{index % 1000:03}"
    while index := index // 1000:
        digits = f"x{index % 1000:03}/{digits}"
    return f"tile/{level}/{digits}" + ("" if width == 256 else f".p/{width}")


def leaves(trail, size):
    """The first `size` leaf hashes, from the level-0 tiles."""
    found = []
    for index in range((size + 255) // 256):
        width = min(256, size - index * 256)
        raw = (trail / tile_path(0, index, width)).read_bytes()
        assert len(raw) == width * 32, f"{trail.name}: tile {index} has {len(raw)} bytes"
        found += [raw[at:at + 32] for at in range(0, len(raw), 32)]
    return found


def checkpoint(trail):
    """(origin, size, root, signed text, signature lines) of the published checkpoint."""
    note = (trail / "checkpoint").read_text()
    text, _, signatures = note.partition("\n\n")
    origin, size, root = text.split("\n")[:3]
    return origin, int(size), base64.b64decode(root), text + "\n", signatures.strip("\n").split("\n")


def signed_by(text, signatures, vkey):
    """Whether an Ed25519 verifier key (C2SP signed-note) signed the text."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    name, key_id, encoded = vkey.split("+", 2)
    key = base64.b64decode(encoded)
    assert key[0] == 1, "not an Ed25519 key"
    assert hashlib.sha256(name.encode() + b"\n" + key).digest()[:4].hex() == key_id, "the key id is wrong"
    for line in signatures:
        _dash, signer, blob = line.split(" ")
        raw = base64.b64decode(blob)
        if signer == name and raw[:4].hex() == key_id:
            Ed25519PublicKey.from_public_bytes(key[1:]).verify(raw[4:], text.encode())
            return True
    return False
