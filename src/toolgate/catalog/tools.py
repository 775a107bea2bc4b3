"""What the servers last said of their tools, resources and prompts: facts for policy, by target. No I/O."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from toolgate.model import Kind, Target
from toolgate.protocol.merge import Entry
from toolgate.protocol.param_headers import Declared, declared

_log = logging.getLogger("toolgate.catalog")

MAX_ENTRIES = 10_000
"""Per server and kind: a server that lists more keeps its first ones."""


class _Facts(msgspec.Struct):
    title: str = ""
    annotations: dict[str, Any] = {}
    meta: Any = msgspec.field(name="_meta", default=None)


_facts = msgspec.json.Decoder(_Facts)


_TAGGING = ("fastmcp", "_fastmcp")
"""Where servers put tags into `_meta`: MCP has no field for them. FastMCP's place is the one that is in use."""


def _tags(meta: Any) -> list[str]:
    spaces = [meta.get(name) for name in _TAGGING] if isinstance(meta, dict) else []
    found: Any = next((space["tags"] for space in spaces if isinstance(space, dict) and "tags" in space), [])
    return [tag for tag in found if isinstance(tag, str)] if isinstance(found, list) else []


class _Tool(msgspec.Struct):
    inputSchema: Any = None  # noqa: N815 - the field's name on the wire


_tool = msgspec.json.Decoder(_Tool)


def _declared(raw: msgspec.Raw) -> Declared | None:
    try:
        return declared(_tool.decode(raw).inputSchema)
    except (msgspec.DecodeError, RecursionError):
        return None


class Catalog:
    """Remembers the entries of the last complete list of each server."""

    def __init__(self) -> None:
        self._entries: dict[tuple[Kind, str], dict[str, msgspec.Raw]] = {}
        self.param_headers: dict[Target, Declared] = {}
        """What tools want repeated in `Mcp-Param-*`, for those that want anything."""
        self._unusable: dict[str, frozenset[str]] = {}

    def note(self, kind: Kind, server: str, entries: Iterable[Entry]) -> frozenset[str]:
        """A complete list of one server: replaces what was known. The names that no client may be shown."""
        known = {entry.name: entry.raw.copy() for entry, _ in zip(entries, range(MAX_ENTRIES), strict=False)}
        self._entries[kind, server] = known
        return self._note_headers(server, known) if kind is Kind.TOOL else frozenset()

    def _note_headers(self, server: str, tools: Mapping[str, msgspec.Raw]) -> frozenset[str]:
        found = {name: _declared(raw) for name, raw in tools.items() if b'"x-mcp-header"' in bytes(raw)}
        others = {target: one for target, one in self.param_headers.items() if target.server != server}
        ours = {Target(Kind.TOOL, server, name): one for name, one in found.items() if one}
        self.param_headers = others | ours
        unusable = frozenset(name for name, one in found.items() if one is None)
        for name in sorted(unusable - self._unusable.get(server, frozenset())):
            _log.warning("%s/%s is left out of lists: its schema declares x-mcp-header wrongly", server, name)
        self._unusable[server] = unusable
        return unusable

    def facts(self, target: Target) -> Mapping[str, Any] | None:
        """Title, annotations and tags of a target; None where nobody has listed it yet."""
        raw = self._entries.get((target.kind, target.server), {}).get(target.name)
        if raw is None:
            return None
        try:
            facts = _facts.decode(raw)
        except msgspec.DecodeError:
            return None
        return {"title": facts.title, "annotations": facts.annotations, "tags": _tags(facts.meta)}

    def knows(self, kind: Kind, server: str) -> bool:
        """Whether the server has been listed."""
        return (kind, server) in self._entries

    def names(self, kind: Kind, server: str) -> Iterable[str]:
        """What the server listed last, in its order."""
        return self._entries.get((kind, server), {}).keys()
