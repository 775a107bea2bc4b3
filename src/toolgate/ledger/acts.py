"""The records a ledger writes about itself. Knows nothing of files."""

import msgspec
from msgspec import Struct

from toolgate.ledger.marks import new_id, timestamp
from toolgate.ledger.recover import Torn
from toolgate.model import Record

TORN = "ledger/torn"
OUTAGE = "ledger/outage"
START = "start"


class Started(Struct):
    """What a gateway says of itself when it begins to record."""

    checkpoint_key: str
    """The public key that its checkpoints are signed with."""


class Outage(Struct):
    """A time in which nothing could be recorded."""

    since: float
    """Unix seconds."""
    reason: str
    refused: int = 0
    """Records that were turned away: their calls were not answered."""
    kept: int = 0
    """Records that were kept aside and follow this one."""
    lost: int = 0
    """Calls that were answered unrecorded, since the config says so."""


def torn_aside(torn: Torn, now: float) -> Record:
    """Says that a crash left half a line, and where it is kept."""
    detail = f"A write was cut off by a crash: its {torn.bytes} bytes were moved to {torn.name}."
    return _act(TORN, now, detail, torn)


def outage_over(outage: Outage, now: float) -> Record:
    """Says that records are written again, and what was lost meanwhile."""
    detail = f"Records could not be written since {timestamp(outage.since)} ({outage.reason})."
    counts = f"{outage.refused} were turned away, {outage.kept} kept aside, {outage.lost} lost."
    return _act(OUTAGE, now, f"{detail} {counts}", outage)


def _act(method: str, now: float, detail: str, facts: Torn | Outage) -> Record:
    arguments = msgspec.to_builtins(facts)
    return Record(new_id(), timestamp(now), "gateway", method, detail=detail, arguments=arguments)
