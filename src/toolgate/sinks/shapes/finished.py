"""Reads the records that tell how something ended; a `begin` is followed by its `end` and tells nothing more."""

import msgspec

from toolgate.model import Record
from toolgate.ports import Recorded

_decode = msgspec.json.Decoder(Record).decode


def finished(recorded: Recorded) -> Record | None:
    """The record; None for a `begin`."""
    record = _decode(recorded.data)
    return None if record.event == "begin" else record


def milliseconds(record: Record) -> int:
    """Unix milliseconds of when the call came in."""
    return microseconds(record) // 1000


def microseconds(record: Record) -> int:
    """Unix microseconds of when the call came in."""
    from datetime import datetime

    moment = datetime.fromisoformat(record.ts)
    return int(moment.timestamp()) * 1_000_000 + moment.microsecond
