"""What the config says of tools, laid over what their servers say. Knows no catalogue and no call.

A server's word on its own tools is a claim; the config's counts where both speak. What the config says is known
before anybody has listed the server, what only the server says is not.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from toolgate.model import Kind, Target
from toolgate.policy.facts import ToolFacts
from toolgate.policy.patterns import Glob


class Said(Struct, frozen=True):
    """What the config says of the tools of one server whose names fit."""

    names: Glob
    title: str | None = None
    annotations: Mapping[str, Any] = {}
    tags: tuple[str, ...] | None = None
    """In place of the server's; None: the server's."""


def overlaid(facts: ToolFacts, said: Mapping[str, Sequence[Said]]) -> ToolFacts:
    """`facts`, with what the config says, by server; of several that fit, later ones count."""
    if not said:
        return facts

    def found(target: Target) -> Mapping[str, Any] | None:
        ours = [one for one in said.get(target.server, ()) if one.names.fits(target.name)]
        theirs = facts(target)
        if not ours or target.kind is not Kind.TOOL:
            return theirs
        # None: unknown still, so that a condition that needs it fails.
        known: dict[str, Any] = (
            {"title": None, "annotations": None, "tags": None} if theirs is None else {**theirs}
        )
        for one in ours:
            if theirs is not None and one.annotations:
                known["annotations"] = {**(known.get("annotations") or {}), **one.annotations}
            if one.title is not None:
                known["title"] = one.title
            if one.tags is not None:
                known["tags"] = list(one.tags)
        return known

    return found
