"""What is recorded, in the log or in sealed segments: the log by a reader of our own, segments by DuckDB's."""

import json

import duckdb

from . import wal


def sealed(data):
    """Segment files by trail, oldest first."""
    found = {}
    for file in sorted((data / "trails").glob("*/segments/*.parquet")):
        found.setdefault(file.parent.parent.name, []).append(file)
    return found


def entries(data, tenant=None):
    """All entries, (trail, index) -> bytes, in log order. Where two places hold an entry, they must agree."""
    found = {}
    # The log first: what is sealed and trimmed meanwhile is in a segment by the time those are read.
    _take(found, (entry for entry in wal.entries(data) if tenant in (None, entry[0])))
    with duckdb.connect() as db:
        for trail, files in sealed(data).items():
            if tenant in (None, trail):
                rows = db.execute('SELECT "index", entry FROM read_parquet(?)', [[str(file) for file in files]])
                _take(found, ((trail, index, bytes(entry)) for index, entry in rows.fetchall()))
    return found


def _take(found, more):
    for trail, index, entry in more:
        known = found.setdefault((trail, index), entry)
        assert known == entry, f"two entries {index} of {trail}"


def events(data, tenant=None):
    """The events of a data directory in log order, or of one tenant's trail in its order, with `_index`, `_trail`."""
    found = entries(data, tenant)
    order = found if tenant is None else sorted(found)
    return [json.loads(found[place]) | {"_trail": place[0], "_index": place[1]} for place in order]
