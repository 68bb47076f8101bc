"""A second reader of transparency logs, written from the specifications alone: RFC 6962 and RFC 9162 for the trees,
C2SP signed-note, tlog-checkpoint, tlog-cosignature, tlog-tiles, tlog-witness, tlog-proof and tlog-policy for the rest.

It knows nothing of Greffier: whatever it is given it checks, and raises `Refused` with the reason. Standard library,
and `cryptography` for Ed25519.
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ED25519, COSIGNATURE = 1, 4
WIDTH = 256
EM_DASH = "\u2014"


class Refused(Exception):
    """What was given is not what it claims to be."""


def need(condition, why):
    if not condition:
        raise Refused(why)


# --- Encodings: one spelling per value ---


def b64(raw):
    return base64.b64encode(raw).decode()


def unb64(text):
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused(f"no base64: {error}") from error
    need(b64(raw) == text, "base64 in another spelling")
    return raw


def decimal(text):
    need(re.fullmatch("0|[1-9][0-9]*", text, re.ASCII) and int(text) < 1 << 64, "no plain decimal")
    return int(text)


def sha256(data):
    return hashlib.sha256(data).digest()


# --- Trees: RFC 6962, section 2.1 ---


def leaf_hash(entry):
    return sha256(b"\0" + entry)


def node_hash(left, right):
    return sha256(b"\1" + left + right)


class Tree:
    """All leaves, and the roots of all complete subtrees above them."""

    def __init__(self, leaves):
        self.levels = [list(leaves)]
        while len(self.levels[-1]) > 1:
            below = self.levels[-1]
            self.levels.append([node_hash(*below[at:at + 2]) for at in range(0, len(below) - 1, 2)])

    def __len__(self):
        return len(self.levels[0])

    def root(self, low=0, high=None):
        """MTH(D[low:high])."""
        high = len(self) if high is None else high
        count = high - low
        if count == 0:
            return sha256(b"")
        height = count.bit_length() - 1
        if count == 1 << height and low % count == 0:
            return self.levels[height][low >> height]
        middle = low + split(count)
        return node_hash(self.root(low, middle), self.root(middle, high))

    def inclusion(self, index, size):
        """PATH(index, D[0:size])."""
        def path(index, low, high):
            if high - low == 1:
                return []
            middle = low + split(high - low)
            if index < middle:
                return path(index, low, middle) + [self.root(middle, high)]
            return path(index, middle, high) + [self.root(low, middle)]
        return path(index, 0, size)

    def consistency(self, old, new):
        """PROOF(old, D[0:new]); none between equal trees, and none from the empty one."""
        def subproof(old, low, high, whole):
            if old == high:
                return [] if whole else [self.root(low, high)]
            middle = low + split(high - low)
            if old <= middle:
                return subproof(old, low, middle, whole) + [self.root(middle, high)]
            return subproof(old, middle, high, False) + [self.root(low, middle)]
        return [] if old == 0 else subproof(old, 0, new, True)


def split(count):
    """The largest power of two smaller than the count."""
    return 1 << ((count - 1).bit_length() - 1)


def check_inclusion(leaf, index, size, proof, root):
    """RFC 9162, section 2.1.3.2."""
    need(index < size, "the index is outside the tree")
    fn, sn, r = index, size - 1, leaf
    for p in proof:
        need(sn != 0, "the inclusion proof is too long")
        if fn & 1 or fn == sn:
            r = node_hash(p, r)
            while not fn & 1 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node_hash(r, p)
        fn, sn = fn >> 1, sn >> 1
    need(sn == 0, "the inclusion proof is too short")
    need(r == root, "the inclusion proof leads to another root")


def check_consistency(first, second, first_root, second_root, proof):
    """RFC 9162, section 2.1.4.2, and what it leaves to the caller: empty and equal trees."""
    need(first <= second, "the tree shrank")
    if first == 0:
        need(first_root == sha256(b"") and not proof, "nothing is consistent with the empty tree but its root")
        return
    if first == second:
        need(first_root == second_root and not proof, "two trees of one size")
        return
    path = list(proof)
    if first & (first - 1) == 0:
        path.insert(0, first_root)
    need(path, "the consistency proof is empty")
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        need(sn != 0, "the consistency proof is too long")
        if fn & 1 or fn == sn:
            fr, sr = node_hash(c, fr), node_hash(c, sr)
            while not fn & 1 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, c)
        fn, sn = fn >> 1, sn >> 1
    need(sn == 0, "the consistency proof is too short")
    need(fr == first_root and sr == second_root, "the consistency proof leads to other roots")


# --- Tiles: tlog-tiles ---


def tile_name(index, width=WIDTH):
    digits = f"{index % 1000:03}"
    while index := index // 1000:
        digits = f"x{index % 1000:03}/{digits}"
    return digits + ("" if width == WIDTH else f".p/{width}")


def tiles(size):
    """(level, index, width) of every tile of a tree."""
    for level in range(64):
        hashes = size >> (8 * level)
        if hashes == 0:
            return
        for index in range(-(-hashes // WIDTH)):
            yield level, index, min(WIDTH, hashes - index * WIDTH)


def read_tile(raw, width):
    need(len(raw) == width * 32, "the tile has another width")
    return [raw[at:at + 32] for at in range(0, len(raw), 32)]


def read_bundle(raw, width):
    """The entries of a bundle."""
    entries, at = [], 0
    while at < len(raw):
        need(at + 2 <= len(raw), "the bundle ends within a length")
        length = int.from_bytes(raw[at:at + 2], "big")
        entries.append(raw[at + 2:at + 2 + length])
        need(len(entries[-1]) == length, "the bundle ends within an entry")
        at += 2 + length
    need(len(entries) == width, "the bundle has another number of entries")
    return entries


def check_tiles(size, root, fetch):
    """Reads every tile of a tree and checks each against those above and the root; the leaf hashes."""
    levels = []
    for level, index, width in tiles(size):
        if index == 0:
            levels.append([])
        levels[level] += read_tile(fetch(f"tile/{level}/{tile_name(index, width)}"), width)
    need(levels or size == 0, "no tiles")
    for below, above in zip(levels, levels[1:], strict=False):
        full = [Tree(below[at:at + WIDTH]).root() for at in range(0, len(below) - WIDTH + 1, WIDTH)]
        need(full == above, "a tile is not what the one above says")
    leaves = levels[0] if levels else []
    need(Tree(leaves).root() == root, "the tiles lead to another root")
    return leaves


def check_bundles(leaves, fetch):
    """Reads every entry of a tree and checks it against its leaf; the entries."""
    entries = []
    for index in range(-(-len(leaves) // WIDTH)):
        width = min(WIDTH, len(leaves) - index * WIDTH)
        found = read_bundle(fetch(f"tile/entries/{tile_name(index, width)}"), width)
        need([leaf_hash(entry) for entry in found] == leaves[index * WIDTH:index * WIDTH + width],
             "an entry is not what its tile says")
        entries += found
    return entries


# --- Notes: signed-note, tlog-cosignature ---


def key_id(name, kind, public):
    return sha256(name.encode() + b"\n" + bytes([kind]) + public)[:4]


def check_name(name):
    need(name and "+" not in name and not any(c.isspace() or c < " " for c in name), "no key name")


@dataclass(frozen=True)
class Key:
    """A verifier key."""

    name: str
    kind: int
    public: bytes

    @classmethod
    def parse(cls, vkey):
        name, _, rest = vkey.partition("+")
        hexid, _, encoded = rest.partition("+")
        raw = unb64(encoded)
        check_name(name)
        need(len(raw) == 33 and raw[0] in (ED25519, COSIGNATURE), "no Ed25519 key")
        key = cls(name, raw[0], raw[1:])
        need(hexid == key.id.hex(), "the key has another id")
        return key

    @property
    def id(self):
        return key_id(self.name, self.kind, self.public)

    def __str__(self):
        return f"{self.name}+{self.id.hex()}+{b64(bytes([self.kind]) + self.public)}"

    def check(self, text, blob):
        """Raises unless this key signed; the time of a cosignature."""
        time, message, signature = None, text.encode(), blob
        if self.kind == COSIGNATURE:
            need(len(blob) == 72, "a cosignature has another length")
            time, signature = int.from_bytes(blob[:8], "big"), blob[8:]
            need(time < 1 << 63, "the cosignature's time is out of range")
            message = f"cosignature/v1\ntime {time}\n{text}".encode()
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except InvalidSignature as error:
            raise Refused(f"the signature of {self.name} is bad") from error
        return time


@dataclass(frozen=True)
class Note:
    text: str
    signatures: tuple

    @classmethod
    def parse(cls, note):
        if isinstance(note, bytes):
            try:
                note = note.decode()
            except UnicodeDecodeError as error:
                raise Refused("the note is not UTF-8") from error
        need(not any(c < " " and c != "\n" for c in note), "control characters in the note")
        at = note.rfind("\n\n")
        need(at >= 0, "the note has no signatures")
        text, lines = note[:at + 1], note[at + 2:]
        need(lines.endswith("\n"), "the note's last line has no end")
        signatures = []
        for line in lines[:-1].split("\n"):
            match = re.fullmatch(f"{EM_DASH} ([^ ]+) ([^ ]+)", line)
            need(match, "a signature line is malformed")
            check_name(match[1])
            raw = unb64(match[2])
            need(len(raw) > 4, "a signature is too short")
            signatures.append((match[1], raw[:4], raw[4:]))
        return cls(text, tuple(signatures))

    def signers(self, keys):
        """The known keys that signed, with the times of cosignatures."""
        signed = {}
        for name, hint, blob in self.signatures:
            for key in keys:
                if (key.name, key.id) == (name, hint):
                    signed[key] = key.check(self.text, blob)
        need(signed, "no known key signed")
        return signed


@dataclass(frozen=True)
class Checkpoint:
    origin: str
    size: int
    root: bytes

    @classmethod
    def parse(cls, text):
        need(text.endswith("\n"), "the checkpoint's last line has no end")
        lines = text[:-1].split("\n")
        need(len(lines) >= 3 and all(lines), "a checkpoint has three lines and no empty ones")
        root = unb64(lines[2])
        need(len(root) == 32, "the root is no hash")
        return cls(lines[0], decimal(lines[1]), root)

    @property
    def text(self):
        return f"{self.origin}\n{self.size}\n{b64(self.root)}\n"


def open_checkpoint(note, log):
    """The checkpoint in a note, if this log signed it."""
    parsed = Note.parse(note)
    parsed.signers([log])
    checkpoint = Checkpoint.parse(parsed.text)
    need(checkpoint.origin == log.name and log.kind == ED25519, "the checkpoint is another log's")
    return checkpoint


# --- Policies: tlog-policy ---


@dataclass
class Policy:
    logs: list = field(default_factory=list)
    witnesses: dict = field(default_factory=dict)
    groups: dict = field(default_factory=dict)
    quorum: str | None = None

    @classmethod
    def parse(cls, text):
        policy, members, keys = cls(), set(), set()

        def define(name):
            need(name != "none" and name not in policy.witnesses and name not in policy.groups, f"{name} is taken")

        def defined(name):
            need(name in policy.witnesses or name in policy.groups, f"{name} is not defined")

        def key(vkey, kind):
            found = Key.parse(vkey)
            need(found.kind == kind, "a key of another kind")
            need((kind, found.public) not in keys, "a key twice")
            keys.add((kind, found.public))
            return found

        for line in text.split("\n"):
            need(not any((c < " " and c != "\t") or c == "\x7f" for c in line), "control characters")
            words = [word for word in re.split("[ \t]+", line) if word]
            match words:
                case []:
                    pass
                case [first, *_] if first.startswith("#"):
                    pass
                case ["log", vkey] | ["log", vkey, _]:
                    policy.logs.append(key(vkey, ED25519))
                case ["witness", name, vkey] | ["witness", name, vkey, _]:
                    define(name)
                    policy.witnesses[name] = key(vkey, COSIGNATURE)
                case ["group", name, k, *names] if names:
                    define(name)
                    for member in names:
                        defined(member)
                        need(member not in members, f"{member} is in two groups")
                        members.add(member)
                    k = {"all": len(names), "any": 1}.get(k) or decimal(k)
                    need(1 <= k <= len(names), "the threshold is out of range")
                    policy.groups[name] = (k, names)
                case ["quorum", name]:
                    need(policy.quorum is None, "two quorums")
                    if name != "none":
                        defined(name)
                    policy.quorum = name
                case _:
                    raise Refused("a line is malformed")
        need(policy.quorum, "no quorum")
        return policy

    def check(self, note):
        """The checkpoint in a note that meets the policy."""
        parsed = Note.parse(note)
        signed = parsed.signers([*self.logs, *self.witnesses.values()])
        checkpoint = Checkpoint.parse(parsed.text)
        need(any(key in signed and key.name == checkpoint.origin for key in self.logs), "no listed log signed")

        def met(name):
            if name in self.witnesses:
                return self.witnesses[name] in signed
            k, names = self.groups[name]
            return sum(map(met, names)) >= k

        need(self.quorum == "none" or met(self.quorum), "too few witnesses")
        return checkpoint


# --- Proofs and requests: tlog-proof, tlog-witness ---


def hashes(lines):
    found = [unb64(line) for line in lines]
    need(all(len(one) == 32 for one in found), "a line is no hash")
    return found


@dataclass
class Proof:
    """A `.tlog-proof` file."""

    extra: bytes | None
    index: int
    path: list
    checkpoint: str

    @classmethod
    def parse(cls, text):
        head, blank, checkpoint = text.partition("\n\n")
        need(blank, "no checkpoint in the proof")
        lines = head.split("\n")
        need(lines.pop(0) == "c2sp.org/tlog-proof@v1", "no tlog-proof")
        extra = unb64(lines.pop(0).removeprefix("extra ")) if lines and lines[0].startswith("extra ") else None
        need(lines and lines[0].startswith("index "), "no index in the proof")
        return cls(extra, decimal(lines.pop(0).removeprefix("index ")), hashes(lines), checkpoint)

    @property
    def text(self):
        extra = [] if self.extra is None else [f"extra {b64(self.extra)}"]
        lines = ["c2sp.org/tlog-proof@v1", *extra, f"index {self.index}", *map(b64, self.path)]
        return "".join(line + "\n" for line in lines) + "\n" + self.checkpoint

    def check(self, entry, policy):
        """The checkpoint of a tree that holds the entry."""
        checkpoint = policy.check(self.checkpoint)
        check_inclusion(leaf_hash(entry), self.index, checkpoint.size, self.path, checkpoint.root)
        return checkpoint


def add_checkpoint(old, proof, note):
    """The body that asks a witness."""
    return "".join(line + "\n" for line in (f"old {old}", *map(b64, proof))) + "\n" + note


def origin_hash(origin):
    return sha256(origin.encode()).hex()


# --- A log of our own ---


class Signer:
    """A log's private key."""

    def __init__(self, name, seed):
        self.private = Ed25519PrivateKey.from_private_bytes(seed)
        self.key = Key(name, ED25519, self.private.public_key().public_bytes_raw())

    def line(self, text):
        return f"{EM_DASH} {self.key.name} {b64(self.key.id + self.private.sign(text.encode()))}\n"

    def sign(self, checkpoint):
        return f"{checkpoint.text}\n{self.line(checkpoint.text)}"
