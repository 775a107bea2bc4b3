"""The end of the story, over ledgers written for it line by line."""

import io
from collections.abc import Iterator

import pytest
from rich.console import Console

from toolgate.demo.reckoning import reckon
from toolgate.demo.stage import Stage, built
from toolgate.demo.story import PlotError
from toolgate.demo.teller import Teller
from toolgate.ledger.chain import ORIGIN, encode, link
from toolgate.ledger.segments import segment_name
from toolgate.model import Record

ALLOWED = {"decision": "allow", "rule": "analysts-read-accounts", "target": "read_account"}
DENIED = {"decision": "deny", "rule": "large-transfers-are-for-people", "target": "transfer_funds"}


@pytest.fixture
def stage() -> Iterator[Stage]:
    with built(keep=False) as stage:
        yield stage


def write(stage: Stage, *records: dict[str, str]) -> None:
    stage.ledger.mkdir()
    head, lines = ORIGIN, []
    for number, facts in enumerate(records):
        record = Record(
            f"record-{number}",
            "2026-11-20T10:00:00.000000Z",
            agent="closing-bot",
            user="dana",
            task="monthly-close",
            server="bank",
            policy="p1",
            **facts,
        )
        line, head = link(head, encode(record))
        lines.append(line)
    (stage.ledger / segment_name(1)).write_bytes(b"".join(lines))


def told(stage: Stage, refusals: int) -> str:
    page = io.StringIO()
    reckon(stage, Teller(Console(file=page)), refusals)
    return page.getvalue()


def test_the_changed_record_is_named(stage: Stage) -> None:
    write(stage, ALLOWED, DENIED, ALLOWED)
    page = told(stage, refusals=1)
    assert "Intact: 3 records" in page
    assert "rule large-transfers-are-for-people" in page
    assert "line 2: Record 2 was changed" in page


def test_the_original_stays_as_it_was(stage: Stage) -> None:
    write(stage, DENIED)
    before = (stage.ledger / segment_name(1)).read_bytes()
    told(stage, refusals=1)
    assert (stage.ledger / segment_name(1)).read_bytes() == before


def test_a_refusal_that_is_not_in_the_ledger_spoils_the_story(stage: Stage) -> None:
    write(stage, ALLOWED, DENIED)
    with pytest.raises(PlotError, match="the 2 refusals"):
        told(stage, refusals=2)


def test_a_ledger_without_the_large_transfer_spoils_the_story(stage: Stage) -> None:
    write(stage, ALLOWED)
    with pytest.raises(PlotError, match="no record names the rule"):
        told(stage, refusals=0)
