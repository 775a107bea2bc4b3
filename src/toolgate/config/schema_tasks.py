"""The keys of `tasks:`. Knows what a task is limited to, not how a call shows that it acts under one."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from toolgate.config.section import Section, written, wrong
from toolgate.config.units import Moment, Seconds, between
from toolgate.config.values import Text

_PATTERN = re.compile(r"\*|[A-Za-z0-9._*-]+/.+")


def _pattern(text: str) -> str:
    if not _PATTERN.fullmatch(text):
        raise wrong("tools are written server/tool, with * for anything.")
    return text


Pattern = Annotated[Text, AfterValidator(_pattern)]
Named = Annotated[tuple[Text, ...], Field(min_length=1)]


class Openers(Section):
    """Who may open tasks: each named kind must match, and within it one value is enough."""

    roles: Named | None = None
    """Roles of the caller."""
    agents: Named | None = None
    """Agent ids."""
    users: Named | None = None
    """User ids."""

    @model_validator(mode="after")
    def _names_somebody(self) -> "Openers":
        if not self.model_fields_set:
            raise wrong("names nobody.", "Leave `openers` out to let nobody open it.")
        return self


class DeclaredTask(Section):
    """A task that rules may name. A caller acts under it by a claim of its token, or by opening it."""

    purpose: str = ""
    """What it is for."""
    tools: Annotated[tuple[Pattern, ...], Field(min_length=1)] | None = None
    """`server/tool` patterns it is limited to, whatever rules allow; left out, it limits nothing."""
    attributes: Mapping[str, Any] = written({})
    """What conditions see as `task.attributes`."""
    expires: Moment | None = None
    """When its rights end."""
    openers: Openers | None = None
    """Who may open it; left out, nobody: it is for callers whose credential names it."""


class Tasks(Section):
    """Pieces of work that rights are bound to."""

    declared: Mapping[Text, DeclaredTask] = written({})
    """Tasks by id."""
    openers: Openers | None = None
    """Who may open tasks of their own making, which limit and never widen; left out, nobody."""
    lifetime: Annotated[Seconds, between("1s", "24h")] = written("15m")
    """How long an opened task lasts at most."""
