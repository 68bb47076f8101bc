"""Contents as whoever has the data and the keys folder can get at them: raw, decompressed, decrypted.

Written apart from Greffier on purpose, from `seal.rs`, `cipher.rs` and `keys/holders.rs`: the suite must not ask the
accused.
"""

import base64
import hashlib
import hmac
import json
import uuid

import duckdb
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from . import record, wal

NOTHING = bytes(12)
LOOKS = 5


def holders(keys):
    """The holders' keys, unwrapped."""
    master = AESGCM(base64.b64decode((keys / "master.key").read_text()))
    found = {}
    file = keys / "users.keys"
    for line in file.read_text().splitlines() if file.exists() else []:
        holder, wrapped = line.split(" ")
        wrapped = base64.b64decode(wrapped)
        found[holder] = master.decrypt(wrapped[:12], wrapped[12:], b"greffier/holder/v1\0" + holder.encode())
    return found


def sealed(data):
    """Every part that lies anywhere: (trail, index, number, holder, wrapped key, content)."""
    found = list(wal.parts(data))
    with duckdb.connect() as db:
        for file in data.glob("trails/*/parts/*.parquet"):
            rows = db.execute('SELECT "index", part, holder, wrapped_key, content FROM read_parquet(?)', [str(file)])
            found += [(file.parent.parent.name, *row[:3], bytes(row[3]), bytes(row[4])) for row in rows.fetchall()]
    return found


def opened(data, keys):
    """Every content that the keys open: (trail, index, name) -> bytes."""
    known = holders(keys)
    # A running server adds to them: the contents first, so that their entries are there.
    contents = list(sealed(data))
    events = {place: json.loads(entry) for place, entry in record.entries(data).items()}
    found = {}
    for trail, index, number, holder, wrapped, content in contents:
        event = events[trail, index]
        name = event["parts"][number]["name"]
        bound = uuid.UUID(event["id"]).bytes + name.encode()
        if holder not in known or not wrapped:
            continue
        try:
            key = AESGCM(known[holder]).decrypt(wrapped[:12], wrapped[12:], b"greffier/part-key/v1\0" + bound)
        except InvalidTag:
            continue
        part = AESGCM(hmac.new(key, b"enc", hashlib.sha256).digest())
        found[trail, index, name] = part.decrypt(NOTHING, content, b"greffier/part-content/v1\0" + bound)
    return found


def everything(folder, data, keys):
    """All bytes of an installation, as they lie, decompressed and decrypted."""
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            yield file.read_bytes()
    with duckdb.connect() as db:
        for file in folder.rglob("*.parquet"):
            for row in db.execute("SELECT COLUMNS(*)::VARCHAR FROM read_parquet(?)", [str(file)]).fetchall():
                yield repr(row).encode()
    yield from opened(data, keys).values()


def mentions(marker, folder, data, keys):
    """Whether any of it holds the marker. Under a running server files come and go: then it looks again."""
    for again in reversed(range(LOOKS)):
        try:
            return any(marker.encode() in blob for blob in everything(folder, data, keys))
        except (FileNotFoundError, duckdb.IOException):
            if not again:
                raise
    return None

