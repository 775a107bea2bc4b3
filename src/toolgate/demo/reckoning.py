"""The end of the story: the ledger checked, a byte of a copy changed, the change found. Needs no gateway."""

import json
import shutil
from pathlib import Path
from typing import Any

from toolgate.demo.stage import Stage
from toolgate.demo.story import PlotError, expect
from toolgate.demo.teller import Teller
from toolgate.ledger.segments import forward, segments
from toolgate.ledger.verify import verify

LARGE_RULE = "large-transfers-are-for-people"
TRUE, FALSE = b'"user":"dana"', b'"user":"dani"'
"""The change: somebody else is to blame for a call."""


def reckon(stage: Stage, teller: Teller, refusals: int) -> None:
    """Check that the ledger is intact, knows all `refusals` by policy, and shows a change."""
    _check_original(stage.ledger, teller, refusals)
    _check_forgery(stage.ledger, stage.folder / "run" / "forged-ledger", teller)


def _check_original(ledger: Path, teller: Teller, refusals: int) -> None:
    teller.step("The ledger, checked without the gateway")
    report = verify(ledger)
    expect(report.ok, f"the ledger is intact, but: {report.findings}")
    records = [record for segment in segments(ledger) for record in map(_record, forward(segment.path))]
    denied = [record for record in records if record.get("decision") == "deny"]
    teller.line(
        f"Intact: {report.records} records, each fits the one before. {len(denied)} calls were refused."
    )
    expect(len(denied) == refusals, f"the ledger holds the {refusals} refusals that were told")
    large = next((record for record in denied if record.get("rule") == LARGE_RULE), None)
    if large is None:
        raise PlotError(f"no record names the rule {LARGE_RULE}")
    named = ("agent", "user", "task", "server", "target", "decision", "rule", "policy")
    teller.line("One of them: " + ", ".join(f"{name} {str(large.get(name))[:32]}" for name in named))
    expect(all(large.get(name) for name in named), f"the record names {named}")


def _check_forgery(ledger: Path, forged: Path, teller: Teller) -> None:
    shutil.copytree(ledger, forged)
    seq = _forge(forged)
    teller.line(
        f"One byte of record {seq} is changed in a copy of it: {TRUE.decode()} becomes {FALSE.decode()}."
    )
    report = verify(forged)
    expect(not report.ok, "the change is found")
    finding = report.findings[0]
    teller.found(f"{finding.file}, line {finding.line}: {finding.what}")
    expect(f"Record {seq} " in finding.what, f"the finding names record {seq}")


def _forge(forged: Path) -> int:
    """Change one byte of the first record about a refused call; its number."""
    for segment in segments(forged):
        lines = list(forward(segment.path))
        for place, line in enumerate(lines):
            if TRUE in line and b'"decision":"deny"' in line:
                lines[place] = line.replace(TRUE, FALSE, 1)
                segment.path.write_bytes(b"".join(lines))
                return segment.first + place
    raise PlotError("the ledger holds no refused call of dana's")


def _record(line: bytes) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(line)["record"]
    return record
