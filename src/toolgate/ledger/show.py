"""Reads a ledger for people: which records, and each as a line of text. Checks nothing: `verify` does."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from toolgate.config.units import duration
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

    def admits(self, record: dict[str, Any]) -> bool:
        """Whether the record is wanted."""
        return (
            _like(self.agent, record.get("agent"))
            and _like(self.user, record.get("user"))
            and (_like(self.tool, _tool(record)) or _like(self.tool, record.get("target")))
            and self.decision in (None, record.get("decision"))
            and self.outcome in (None, record.get("outcome"))
            and (self.since is None or record.get("ts", "") >= written(self.since))
        )


def read(path: Path, *, last: int | None = None, where: Where | None = None) -> Iterator[Entry]:
    """The records of the ledger in the folder `path`, oldest first; with `last`, the last so many that match.

    With `last` the ledger is read from its end, and no further back than needed. A line that is no record is
    shown as number 0, event `unreadable`. Raises `OSError`.
    """
    wanted = where or Where()
    if last is None:
        lines = ((one.path.name, line) for one in segments(path) for line in forward(one.path))
        return _entries(lines, wanted)
    lines = ((one.path.name, line) for one in reversed(segments(path)) for line in backward(one.path))
    return reversed(list(islice(_entries(lines, wanted), last)))


def since(text: str, now: float) -> datetime:
    """The moment a person means: a date, a date with its time, or how long ago (`30m`, `2h`) seen from `now`
    (unix seconds). Raises `ValueError`."""
    try:
        return datetime.fromtimestamp(now - duration(text), UTC)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no moment; write one such as 2026-11-25T10:00:00Z or 2h.") from None


def line(record: dict[str, Any]) -> str:
    """The record in one aligned line: time, decision, outcome, who, what, why. Safe on a terminal."""
    who = _joined(record, "agent", "user") or record.get("auth") or "-"
    what = _tool(record) or record.get("method") or "-"
    if record.get("event", "call") != "call":
        what = f"{record['event']} {what}"
    why = record.get("rule") or record.get("reason") or ""
    if record.get("detail"):
        why = f"{why} ({record['detail']})".lstrip()
    columns = (
        f"{record.get('ts', '-'):27}",
        f"{record.get('decision') or '-':8}",
        f"{record.get('outcome') or '-':10}",
        f"{who:28}",
        f"{what:36}",
        why,
    )
    return _printable(" ".join(columns).rstrip())


def _entries(lines: Iterable[tuple[str, bytes]], wanted: Where) -> Iterator[Entry]:
    for name, text in lines:
        if not text.endswith(b"\n"):
            continue  # Torn, or being written: no record yet.
        seq, record = _parse(name, text)
        if not seq or wanted.admits(record):
            yield seq, record


def _parse(name: str, text: bytes) -> Entry:
    claim = parse(text)
    try:
        if claim:
            return claim.head.seq, msgspec.json.decode(record_of(text), type=dict[str, Any])
    except (msgspec.MsgspecError, ValueError, RecursionError):
        pass
    detail = f"a line in {name} is no record; run `toolgate ledger verify`"
    return 0, {"event": "unreadable", "detail": detail}


def _tool(record: dict[str, Any]) -> str:
    return _joined(record, "server", "target")


def _joined(record: dict[str, Any], *keys: str) -> str:
    return "/".join(str(record[key]) for key in keys if record.get(key))


def _like(pattern: str | None, value: str | None) -> bool:
    return pattern is None or (value is not None and fnmatchcase(value, pattern))


def written(moment: datetime) -> str:
    """As the ledger writes it, without the zone: texts of one form compare like the times they tell."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")


def _printable(text: str) -> str:
    # Names come from strangers: an escape sequence in one would rewrite the reader's terminal.
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
