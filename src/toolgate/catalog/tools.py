"""What the servers last said of their tools, resources and prompts: facts for policy, by target. No I/O."""

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from toolgate.catalog.lists import Lists
from toolgate.model import Kind, Target
from toolgate.ports import Clock
from toolgate.protocol import names
from toolgate.protocol.merge import Entry
from toolgate.protocol.methods import Method
from toolgate.protocol.param_headers import Declared, declared

_log = logging.getLogger("toolgate.catalog")


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

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self.lists = Lists(clock)
        """Whole lists, for as long as their servers let them be remembered."""
        self.param_headers: dict[Target, Declared] = {}
        """What tools want repeated in `Mcp-Param-*`, for those that want anything."""
        self._alerted: set[tuple[str, str, str]] = set()
        self._unusable: dict[str, frozenset[str]] = {}
        self._entries: dict[tuple[str, str], dict[str, msgspec.Raw]] = {}
        self._noted: dict[tuple[str, str], Sequence[Entry]] = {}
        self._marks: dict[tuple[str, str], dict[str, str]] = {}

    def note(self, method: Method, server: str, entries: Sequence[Entry]) -> frozenset[str]:
        """A complete list of one server: replaces what was known. The names that no client may be shown."""
        key = method.items, server
        tools = method.kind is Kind.TOOL
        if self._noted.get(key) is not entries:
            self._noted[key] = entries
            known = {entry.name: entry.raw for entry in entries}
            self._alert(method, server, self._entries.get(key, {}), known)
            self._entries[key] = known
            odd = [name for name in known if method.key == "name" and names.may_need_alias(name)]
            self._marks[key] = {names.mark(name): name for name in odd}
            if tools:
                self._note_headers(server, known)
        return self._unusable.get(server, frozenset()) if tools else frozenset()

    def _alert(
        self, method: Method, server: str, before: Mapping[str, msgspec.Raw], now: Mapping[str, msgspec.Raw]
    ) -> None:
        """A definition that was judged once may become another behind everybody's back: said once for each (E79)."""
        for name in before.keys() & now.keys():
            if bytes(before[name]) != bytes(now[name]) and (method.items, server, name) not in self._alerted:
                self._alerted.add((method.items, server, name))
                _log.warning("%s: %s: %r is not what it was when last listed", server, method.items, name)

    def _note_headers(self, server: str, tools: Mapping[str, msgspec.Raw]) -> None:
        found = {name: _declared(raw) for name, raw in tools.items() if b'"x-mcp-header"' in bytes(raw)}
        others = {target: one for target, one in self.param_headers.items() if target.server != server}
        ours = {Target(Kind.TOOL, server, name): one for name, one in found.items() if one}
        self.param_headers = others | ours
        unusable = frozenset(name for name, one in found.items() if one is None)
        for name in sorted(unusable - self._unusable.get(server, frozenset())):
            _log.warning("%s/%s is left out of lists: its schema declares x-mcp-header wrongly", server, name)
        self._unusable[server] = unusable

    def facts(self, target: Target) -> Mapping[str, Any] | None:
        """Title, annotations and tags of a target; None where nobody has listed it yet."""
        raw = self._entries.get((f"{target.kind}s", target.server), {}).get(target.name)
        if raw is None:
            return None
        try:
            facts = _facts.decode(raw)
        except msgspec.DecodeError:
            return None
        return {"title": facts.title, "annotations": facts.annotations, "tags": _tags(facts.meta)}

    def knows(self, kind: Kind, server: str) -> bool:
        """Whether the server has been listed."""
        return (f"{kind}s", server) in self._entries

    def marks(self, kind: Kind, server: str) -> Mapping[str, str] | None:
        """The names that aliases stand for, by their marks; None where no list has been read yet."""
        return self._marks.get((f"{kind}s", server))

    def names(self, kind: Kind, server: str) -> Iterable[str]:
        """What the server listed last, in its order."""
        return self._entries.get((f"{kind}s", server), {}).keys()
