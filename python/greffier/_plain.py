"""Makes plain data of what is none, for `_native`: dicts, lists, texts, numbers, ``None``. Never raises."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import numbers
from collections.abc import Mapping, Sequence, Set
from typing import Any


def plain(value: object) -> Any:
    """One level of a value that is no dict, list, tuple, str, number or ``None``; what is inside is asked for later.

    Enums become their values, dataclasses, mappings and models of pydantic dicts, sets and sequences lists, dates ISO
    8601, bytes text. Everything else becomes what `str` says of it, whose keys nobody can look into.
    """
    try:
        if isinstance(value, enum.Enum):
            return value.value
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return {field.name: getattr(value, field.name, None) for field in dataclasses.fields(value)}
        if isinstance(value, Mapping):
            return dict(value)
        if isinstance(value, (bytes, bytearray, memoryview)):
            return bytes(value).decode("utf-8", "replace")
        if isinstance(value, (Set, Sequence)):
            return list(value)
        if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
            return value.isoformat()
        if isinstance(value, numbers.Integral):
            return int(value)
        if isinstance(value, numbers.Real):
            return float(value)
        dump = getattr(type(value), "model_dump", None)
        if dump is not None:
            return dict(dump(value))
    except Exception:
        pass
    return text(value)


def text(value: object) -> str:
    """What `str` says of a value, or which type it has if that raises."""
    try:
        return str.__str__(str(value))
    except Exception:
        return f"<{type(value).__name__}>"
