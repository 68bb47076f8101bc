"""Reads the write-ahead log from its bytes alone, as `crates/ledger/src/wal/frame.rs` describes it.

Written apart from Greffier's own reader on purpose: the suite must not ask the accused.
"""

import struct
import zlib

HEADER = 32


def entries(data):
    """All entries of a data directory, in log order: (tenant, index, entry bytes). A torn tail ends a file."""
    return [entry for entry, _ in frames(data)]


def parts(data):
    """All parts in the log: (trail, index, number, holder, wrapped key, content)."""
    for (trail, index, _), rest in frames(data):
        at = 1
        for number in range(rest[0]):
            holder, at = _piece(rest, at, "<B")
            wrapped, at = _piece(rest, at, "<B")
            content, at = _piece(rest, at, "<I")
            yield trail, index, number, holder.decode(), wrapped, content


def _piece(raw, at, length):
    (size,) = struct.unpack_from(length, raw, at)
    start = at + struct.calcsize(length)
    return raw[start:start + size], start + size


def frames(data):
    """All frames: (trail, index, entry bytes), and the bytes behind the entry, which hold its parts."""
    found = []
    files = sorted((data / "wal").glob("*.wal"))
    for place, file in enumerate(files):
        raw = file.read_bytes()
        end = len(raw)
        if place + 1 < len(files):
            end = _header(files[place + 1].read_bytes())[1]
        _header(raw)
        offset = HEADER
        while offset < end:
            frame = _frame(raw[:end], offset)
            if frame is None:
                break
            offset, entry = frame
            found.append(entry)
    return found


def _header(raw):
    magic, version, sequence, previous, crc = struct.unpack_from("<8sIQQI", raw)
    assert (magic, version) == (b"greffwal", 1), f"not a log file: {magic!r}"
    assert crc == zlib.crc32(raw[:HEADER - 4]), "the header's checksum is wrong"
    return sequence, previous


def _frame(raw, offset):
    if offset + 8 > len(raw):
        return None
    length, crc = struct.unpack_from("<II", raw, offset)
    body = raw[offset + 8:offset + 8 + length]
    if len(body) != length or crc != zlib.crc32(body, zlib.crc32(raw[offset:offset + 4])):
        return None
    _kind, _group, index, trail_len = struct.unpack_from("<BQQB", body)
    at = 18
    trail = body[at:at + trail_len].decode()
    at += trail_len
    (entry_len,) = struct.unpack_from("<H", body, at)
    end = at + 2 + entry_len
    return offset + 8 + length, ((trail, index, body[at + 2:end]), body[end:])
