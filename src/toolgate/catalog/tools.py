"""What the servers last said of their tools, resources and prompts: facts for policy, by target. No I/O."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from toolgate.model import Kind, Target
from toolgate.protocol.merge import Entry

MAX_ENTRIES = 10_000
"""Per server and kind: a server that lists more keeps its first ones."""


class _Facts(msgspec.Struct):
    title: str = ""
    annotations: dict[str, Any] = {}


_facts = msgspec.json.Decoder(_Facts)


class Catalog:
    """Remembers the entries of the last complete list of each server."""

    def __init__(self) -> None:
        self._entries: dict[tuple[Kind, str], dict[str, msgspec.Raw]] = {}

    def note(self, kind: Kind, server: str, entries: Iterable[Entry]) -> None:
        """A complete list of one server: replaces what was known."""
        known = {entry.name: entry.raw.copy() for entry, _ in zip(entries, range(MAX_ENTRIES), strict=False)}
        self._entries[kind, server] = known

    def facts(self, target: Target) -> Mapping[str, Any] | None:
        """Title and annotations of a target; None where nobody has listed it yet."""
        raw = self._entries.get((target.kind, target.server), {}).get(target.name)
        if raw is None:
            return None
        try:
            facts = _facts.decode(raw)
        except msgspec.DecodeError:
            return None
        return {"title": facts.title, "annotations": facts.annotations}

    def names(self, kind: Kind, server: str) -> Iterable[str]:
        """What the server listed last, in its order."""
        return self._entries.get((kind, server), {}).keys()
