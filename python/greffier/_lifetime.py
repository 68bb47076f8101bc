"""The ends of a process, and its copies: what is logged is written at exit, and a forked process begins anew."""

from __future__ import annotations

import atexit
import os
import sys
import weakref
from typing import Optional, Protocol


class Forkable(Protocol):
    """What has threads or locks of its own."""

    def forked(self) -> None: ...


class Closable(Protocol):
    """What has to be told that the process ends."""

    def at_exit(self) -> None: ...


_forkable: weakref.WeakSet[Forkable] = weakref.WeakSet()
_closable: weakref.WeakSet[Closable] = weakref.WeakSet()
_told: Optional[int] = None


def reopen_after_fork(something: Forkable) -> None:
    """It is told in a process that is forked from this one, before any other code runs there."""
    _forkable.add(something)


def close_at_exit(something: Closable) -> None:
    """It is told when this process ends by its own will; a signal that kills asks nobody."""
    global _told
    _closable.add(something)
    if _told is None:
        atexit.register(_exiting)
    if _told != os.getpid():
        # A process that `multiprocessing` forked ends without `atexit`, but with this.
        util = sys.modules.get("multiprocessing.util")
        if util is not None:
            util.Finalize(None, _exiting, exitpriority=0)
        _told = os.getpid()


def _exiting() -> None:
    for something in list(_closable):
        something.at_exit()


def _forked() -> None:
    for something in list(_forkable):
        something.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
