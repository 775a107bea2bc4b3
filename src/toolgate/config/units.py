"""Durations, sizes, rates and moments as people write them. Knows no key of the config."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, NoReturn

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator
from pydantic_core import PydanticCustomError

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_BYTES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_PERIODS = {"s": 1.0, "min": 60.0, "h": 3600.0, "day": 86_400.0}

_DURATION = r"(\d{1,9})(ms|s|m|h)"
_SIZE = r"(\d{1,9})(B|KiB|MiB|GiB)"
_RATE = r"([1-9]\d{0,8})/(s|min|h|day)"
_MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)"


@dataclass(frozen=True, slots=True)
class Rate:
    """So many in so many seconds."""

    count: int
    seconds: float


def duration(value: object) -> float:
    """Seconds of `250ms`, `30s`, `5m` or `2h`. Raises `PydanticCustomError`."""
    match = _fullmatch(_DURATION, value) or _refuse("a duration such as 250ms, 30s, 5m or 2h")
    return int(match[1]) * _SECONDS[match[2]]


def size(value: object) -> int:
    """Bytes of `512B`, `64KiB`, `4MiB` or `1GiB`. Raises `PydanticCustomError`."""
    match = _fullmatch(_SIZE, value) or _refuse("a size such as 64KiB or 4MiB")
    return int(match[1]) * _BYTES[match[2]]


def rate(value: object) -> Rate:
    """Count and period of `5/s`, `100/min`, `60/h` or `1000/day`. Raises `PydanticCustomError`."""
    match = _fullmatch(_RATE, value) or _refuse("a rate such as 5/s, 100/min or 1000/day")
    return Rate(int(match[1]), _PERIODS[match[2]])


def moment(value: object) -> float:
    """Unix seconds of an RFC 3339 date and time with its offset. Raises `PydanticCustomError`."""
    match = _fullmatch(_MOMENT, value) or _refuse("a date and time such as 2027-01-31T18:00:00Z")
    try:
        return datetime.fromisoformat(match[0]).timestamp()
    except (ValueError, OverflowError):
        _refuse("a date and time that exists, such as 2027-01-31T18:00:00Z")


def between(least: str, most: str) -> AfterValidator:
    """Bounds of a duration or a size, both as they are written, and told so to whoever crosses them."""
    read = duration if re.fullmatch(_DURATION, least) else size
    lowest, highest = read(least), read(most)

    def check(value: float) -> float:
        if lowest <= value <= highest:
            return value
        raise PydanticCustomError("unit", "must be from {least} to {most}.", {"least": least, "most": most})

    return AfterValidator(check)


def _fullmatch(pattern: str, value: object) -> re.Match[str] | None:
    return re.fullmatch(pattern, value, re.ASCII) if isinstance(value, str) else None


def _refuse(wanted: str) -> NoReturn:
    raise PydanticCustomError("unit", "expected {wanted}.", {"wanted": wanted})


Seconds = Annotated[
    float,
    BeforeValidator(duration, json_schema_input_type=Annotated[str, Field(pattern=f"^{_DURATION}$")]),
]
"""A duration, held as seconds."""

Bytes = Annotated[
    int, BeforeValidator(size, json_schema_input_type=Annotated[str, Field(pattern=f"^{_SIZE}$")])
]
"""A size, held as bytes."""

PerPeriod = Annotated[
    Rate, PlainValidator(rate, json_schema_input_type=Annotated[str, Field(pattern=f"^{_RATE}$")])
]
"""A rate, held as `Rate`."""

Moment = Annotated[
    float, BeforeValidator(moment, json_schema_input_type=Annotated[str, Field(pattern=f"^{_MOMENT}$")])
]
"""A moment, held as Unix seconds."""
