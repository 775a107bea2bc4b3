"""Hands out the records of a period as lines of one form. Checks nothing: `verify` does."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from toolgate.ledger.reading import recorded
from toolgate.ledger.segments import forward, segments
from toolgate.ports import Shape


class Unreadable(Exception):
    """A line that is no record: an export with a hole must not look whole. Its text is a plain sentence."""


class _Moment(Struct):
    ts: str


def export(folder: Path, shape: Shape, since: str = "", until: str = "~") -> Iterator[bytes]:
    """A line, without its end, for each record whose time is in [`since`, `until`) (RFC 3339, UTC).

    Raises `OSError`, and `Unreadable` at a line that is no record.
    """
    moment = msgspec.json.Decoder(_Moment).decode
    for segment in segments(folder):
        for number, line in enumerate(forward(segment.path), 1):
            if not line.endswith(b"\n"):
                continue  # Torn, or being written: no record yet.
            found = recorded(line)
            if found is None:
                raise Unreadable(f"{segment.path.name}:{number} is no record: run `toolgate ledger verify`.")
            if since <= moment(found.data).ts < until:
                body = shape(found)
                if body is not None:
                    yield body
