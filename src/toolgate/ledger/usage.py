"""Adds up what was used, for bills and charts: calls, errors, refusals, bytes, tokens and time, by what one asks."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from toolgate.ledger.chain import parse, record_of
from toolgate.ledger.segments import forward, segments
from toolgate.model import Outcome, Record

BY = ("day", "tenant", "agent", "user", "task", "server", "tool", "method")
BYTES_A_TOKEN = 4
"""The usual estimate for English and JSON; nobody between client and model can count tokens."""

_ERRORS = frozenset({Outcome.ERROR, Outcome.TOOL_ERROR, Outcome.BUG, Outcome.CUT})


class Used(Struct):
    """Sums over some calls."""

    calls: int = 0
    errors: int = 0
    """Calls the server, the tool or the gateway failed."""
    refusals: int = 0
    """Calls that were not let through."""
    request_bytes: int = 0
    response_bytes: int = 0
    tokens: int = 0
    """Estimated, of requests and answers together."""
    upstream_ms: int = 0

    def add(self, record: Record) -> None:
        """One more call."""
        self.calls += 1
        self.errors += record.outcome in _ERRORS
        self.refusals += record.outcome == Outcome.REFUSED
        self.request_bytes += record.request_bytes or 0
        self.response_bytes += record.response_bytes or 0
        self.tokens = (self.request_bytes + self.response_bytes) // BYTES_A_TOKEN
        self.upstream_ms += (record.upstream_us or 0) // 1000


def usage(folder: Path, by: Sequence[str], since: str = "", until: str = "~") -> dict[tuple[str, ...], Used]:
    """The sums of each group, in order of their names; `by` names some of `BY`.

    Raises `ValueError` for another name, and where a line is no record: a bill must not be short. Raises `OSError`.
    """
    unknown = [name for name in by if name not in BY]
    if unknown:
        raise ValueError(f"there is no '{unknown[0]}' to add up by; known are {', '.join(BY)}.")
    found: dict[tuple[str, ...], Used] = {}
    for record in _finished(folder):
        if since <= record.ts < until:
            key = tuple(_value(record, name) for name in by)
            found.setdefault(key, Used()).add(record)
    return dict(sorted(found.items()))


def _finished(folder: Path) -> Iterator[Record]:
    decode = msgspec.json.Decoder(Record).decode
    for segment in segments(folder):
        for number, line in enumerate(forward(segment.path), 1):
            if not line.endswith(b"\n"):
                continue  # Torn, or being written: no record yet.
            if parse(line) is None:
                raise ValueError(f"{segment.path.name}:{number} is no record: run `toolgate ledger verify`.")
            record = decode(record_of(line))
            if record.event in ("call", "end"):
                yield record


def _value(record: Record, name: str) -> str:
    if name == "day":
        return record.ts[:10]
    if name == "tool":
        return f"{record.server}/{record.target}" if record.kind == "tool" else "-"
    return getattr(record, name) or "-"
