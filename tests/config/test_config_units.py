from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from toolgate.config.units import Bytes, Moment, PerPeriod, Rate, Seconds

NO_TEXT = [5, 5.0, True, None, []]
NO_UNIT = ["", "5", "s", "-5s", "5 s", "1.5h", "5d", "5MB", "5mib", "5/", "0/s", "5/month", "\u0665s", "5s\n"]
NO_UNIT += ["9999999999s", "2027-01-31", "2027-01-31T18:00:00", "20270131T180000Z"]


class Everything(BaseModel):
    wait: Seconds = 0.0
    room: Bytes = 0
    pace: PerPeriod = Rate(1, 1.0)
    when: Moment = 0.0


@pytest.mark.parametrize(
    ("key", "written", "meant"),
    [
        ("wait", "250ms", 0.25),
        ("wait", "30s", 30.0),
        ("wait", "5m", 300.0),
        ("wait", "2h", 7200.0),
        ("wait", "0s", 0.0),
        ("room", "512B", 512),
        ("room", "64KiB", 65_536),
        ("room", "4MiB", 4_194_304),
        ("room", "1GiB", 1_073_741_824),
        ("pace", "5/s", Rate(5, 1.0)),
        ("pace", "100/min", Rate(100, 60.0)),
        ("pace", "60/h", Rate(60, 3600.0)),
        ("pace", "1000/day", Rate(1000, 86_400.0)),
        ("when", "1970-01-01T00:00:01Z", 1.0),
        ("when", "1970-01-01T01:00:00.5+01:00", 0.5),
    ],
)
def test_a_value_with_its_unit_is_read(key, written, meant):
    assert getattr(Everything(**{key: written}), key) == meant


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("wait", "expected a duration such as 250ms, 30s, 5m or 2h."),
        ("room", "expected a size such as 64KiB or 4MiB."),
        ("pace", "expected a rate such as 5/s, 100/min or 1000/day."),
        ("when", "expected a date and time such as 2027-01-31T18:00:00Z."),
    ],
)
@pytest.mark.parametrize("written", [*NO_TEXT, *NO_UNIT])
def test_a_value_without_its_unit_is_refused(key, message, written):
    with pytest.raises(ValidationError) as caught:
        Everything(**{key: written})
    assert [error["msg"] for error in caught.value.errors()] == [message]


@pytest.mark.parametrize("written", ["2027-02-30T00:00:00Z", "2027-01-01T25:00:00Z", "0000-01-01T00:00:00Z"])
def test_a_moment_that_does_not_exist_is_refused(written):
    with pytest.raises(ValidationError, match="a date and time that exists"):
        Everything(when=written)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text):
    for key in Everything.model_fields:
        with suppress(ValidationError):
            assert getattr(Everything(**{key: text}), key) is not None


def test_an_editor_learns_the_form_from_the_schema():
    schema = Everything.model_json_schema()["properties"]
    assert schema["wait"]["pattern"] == r"^(\d{1,9})(ms|s|m|h)$"
    assert {part["type"] for part in schema.values()} == {"string"}
