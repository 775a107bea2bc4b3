import json

from toolgate.ledger.acts import Outage, outage_over, torn_aside
from toolgate.ledger.chain import encode
from toolgate.ledger.marks import timestamp
from toolgate.ledger.recover import Torn


def test_a_time_is_written_in_utc_with_microseconds():
    assert timestamp(1_795_600_000.25) == "2026-11-25T09:46:40.250000Z"


def test_a_torn_line_is_told_with_its_name_size_and_hash():
    read = json.loads(encode(torn_aside(Torn("a.torn", 19, "ab"), 0.0)))
    assert (read["event"], read["method"]) == ("gateway", "ledger/torn")
    assert read["arguments"] == {"name": "a.torn", "bytes": 19, "sha256": "ab"}
    assert "19 bytes were moved to a.torn" in read["detail"]


def test_an_outage_is_told_with_its_time_cause_and_cost():
    """PCI DSS 10.7 and DORA RTS Art. 12: a failure of logging is detected and recorded."""
    read = json.loads(encode(outage_over(Outage(0.0, "disk full", 7), 60.0)))
    assert (read["event"], read["method"], read["ts"]) == ("gateway", "ledger/outage", timestamp(60.0))
    assert (
        "since 1970-01-01T00:00:00.000000Z (disk full). 7 were turned away, 0 kept aside, 0 lost."
        in read["detail"]
    )
