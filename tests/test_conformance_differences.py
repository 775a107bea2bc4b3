"""What counts as lost between a direct run of the suite and one through the gateway."""

from pathlib import Path

import pytest

from conformance import differences
from conformance.differences import Known

DIRECT = {"ping:a": "SUCCESS", "ping:b": "SKIPPED", "ping:c": "WARNING", "ping:d": "FAILURE"}


@pytest.mark.parametrize(
    ("check", "status", "is_lost"),
    [
        ("ping:a", "FAILURE", True),
        ("ping:a", "WARNING", True),
        ("ping:a", "SKIPPED", True),
        ("ping:a", None, True),
        ("ping:b", None, False),
        ("ping:b", "SUCCESS", False),
        ("ping:c", "FAILURE", True),
        ("ping:d", None, False),
        ("ping:new", "FAILURE", True),
        ("ping:new", "SUCCESS", False),
    ],
)
def test_a_check_is_lost_where_it_is_worse_or_vanished(check: str, status: str | None, is_lost: bool) -> None:
    through = {key: value for key, value in DIRECT.items() if key != check}
    if status is not None:
        through[check] = status
    lost = differences.lost("dual@2025-11-25", DIRECT, through, [])
    assert [one.check for one in lost] == ([check] if is_lost else [])


def test_an_explanation_of_nothing_is_told() -> None:
    used = Known("dual@*", "ping:a", "why")
    idle = Known("dual@*", "ping:z", "why")
    elsewhere = Known("stdio@*", "ping:z", "why")
    known = [used, idle, elsewhere]
    lost = differences.lost("dual@2025-11-25", {"ping:a": "SUCCESS"}, {"ping:a": "FAILURE"}, known)
    assert lost[0].reason == "why"
    assert differences.stale(known, lost, ["dual@2025-11-25"]) == [idle]


def test_every_explanation_has_a_reason() -> None:
    known = differences.read(Path(differences.__file__).parent / "differences.yaml")
    assert all(one.reason.endswith(".") for one in known)
