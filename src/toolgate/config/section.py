"""What every section of the config has in common: unknown keys are refused, values do not change, and a fault
carries its remedy. Knows no key."""

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

Fault = tuple[tuple[str | int, ...], PydanticCustomError]
"""Where, seen from the section, and what."""


class Section(BaseModel):
    """A part of the config. Never repeats a value in an error: it may be a secret."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        validate_default=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )


def written(default: Any, **bounds: Any) -> Any:
    """A default as a user would write it; read and checked like a value from the file."""
    return Field(default, **bounds)


def wrong(text: str, remedy: str = "") -> PydanticCustomError:
    """A fault in a value, for validators to raise. `text` must not repeat the value if it may be secret."""
    return PydanticCustomError("wrong", "{text}", {"text": text, "remedy": remedy})


def raise_faults(section: str, faults: Iterable[Fault], value: Any = None) -> None:
    """Raises all faults at once, each at its own key, if there are any."""
    details = [InitErrorDetails(type=fault, loc=path, input=value) for path, fault in faults]
    if details:
        raise ValidationError.from_exception_data(section, details)
