"""What calls added to totals, read back from the ledger, so that sums survive a restart. Decides nothing.

A call that was in flight when the process was killed and had not begun to answer has no line: it is not counted.
"""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from toolgate.ledger.chain import parse, record_of
from toolgate.ledger.segments import backward, segments

Counted = tuple[tuple[str, str, str], float, int | float]
"""Key (total, for whom it is kept, who that is), moment in Unix seconds, amount."""


class _Line(Struct):
    """As much of a record as is needed."""

    id: str
    ts: str
    event: str = "call"
    agent: str | None = None
    user: str | None = None
    tenant: str | None = None
    task: str | None = None
    totals: dict[str, tuple[str, int | float]] | None = None
    total_us: int = 0


_read = msgspec.json.Decoder(_Line)


def counted(folder: Path, since: float) -> list[Counted]:
    """All that was counted at `since` (Unix seconds) or later, oldest first. Raises `OSError`."""
    found: list[Counted] = []
    ended: set[str] = set()
    for line in _recent(folder, since):
        if line.event == "end":
            ended.add(line.id)
        elif line.event == "begin" and line.id in ended:
            # Its last line tells what became of it.
            continue
        moment = _seconds(line.ts)
        if moment >= since:
            found += [(key, moment, amount) for key, amount in _amounts(line)]
    return sorted(found, key=lambda one: one[1])


def _recent(folder: Path, since: float) -> Iterator[_Line]:
    """Records written at `since` or later, the last first: a long call's line is much younger than its start."""
    for segment in reversed(segments(folder)):
        for text in backward(segment.path):
            if parse(text) is None:
                continue
            try:
                line = _read.decode(record_of(text))
            except msgspec.MsgspecError:
                continue
            if _seconds(line.ts) + line.total_us / 1e6 < since:
                return
            yield line


def _amounts(line: _Line) -> Iterator[tuple[tuple[str, str, str], int | float]]:
    who = {"agent": line.agent, "user": line.user, "tenant": line.tenant, "task": line.task, "everybody": "*"}
    for total, (per, amount) in (line.totals or {}).items():
        value = who.get(per)
        if value is not None:
            yield (total, per, value), amount


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
