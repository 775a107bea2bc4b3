"""Reads a ledger for people: which records, and each as one line of text. Checks nothing; that is `verify`."""

from collections.abc import Iterator
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from toolgate.ledger.chain import parse, record_of
from toolgate.ledger.segments import backward, forward, segments

Entry = tuple[int, dict[str, Any]]
"""Sequence number and record, as JSON says it."""


class Where(Struct, frozen=True):
    """Which records are wanted; what is None asks for nothing. `agent`, `user` and `tool` are globs."""

    agent: str | None = None
    user: str | None = None
    tool: str | None = None
    """`server/name` as in policies, or the name alone."""
    decision: str | None = None
    outcome: str | None = None
    since: datetime | None = None
    """A time without zone is local time."""


def read(path: Path, *, last: int | None = None, where: Where | None = None) -> Iterator[Entry]:
    """The records of the ledger in the folder `path`, oldest first; with `last`, the last so many that match.

    With `last` the ledger is read from its end, and no further back than needed. A line that is no record
    is shown as number 0, event `unreadable`. Raises `OSError`.
    """
    wanted = _filter(where or Where())
    if last is None:
        return (entry for entry in _entries(path, newest_first=False) if wanted(entry[1]))
    return iter(_newest(path, last, wanted)[::-1])
