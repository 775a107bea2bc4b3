"""Many servers' answers joined into one: lists, `initialize`, `server/discover`. No I/O.

Entries keep their bytes but for the name; order is the order of the servers in the config, then theirs.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec import Raw, Struct

from toolgate.protocol import jsonrpc, names
from toolgate.protocol.methods import Method

MISSING = "io.toolgate/missing"
"""`_meta` key that names servers whose entries are not in a list, with the reason."""

MAX_INSTRUCTIONS = 16 * 1024
MAX_TTL_MS = 24 * 60 * 60 * 1000


class Entry(Struct, frozen=True):
    """One entry of a server's list."""

    name: str
    raw: Raw


class Page(Struct, frozen=True):
    """One page of a server's list."""

    entries: tuple[Entry, ...]
    cursor: str | None
    rest: dict[str, Raw]
    """The other fields of the result."""

    @property
    def seconds(self) -> float:
        """How long it may be remembered: what the server says, within 0 and 24 h (E86)."""
        try:
            ttl = jsonrpc.value(self.rest.get("ttlMs", Raw(b"0")))
        except ValueError:
            return 0.0
        usable = isinstance(ttl, int) and not isinstance(ttl, bool)
        return min(max(ttl, 0), MAX_TTL_MS) / 1000 if usable else 0.0

    @property
    def public(self) -> bool:
        """Whether the server lets everybody have it."""
        return jsonrpc.text(self.rest.get("cacheScope")) == "public"


def page(result: Raw, method: Method) -> Page:
    """Read one page. Raises `ValueError` where the result is no such list.

    An entry without a usable name is left out: one bad tool must not cost the list.
    """
    parts = jsonrpc.fields(result)
    array = parts.pop(method.items, None)
    if array is None:
        raise ValueError(f"no {method.items}")
    cursor = parts.pop("nextCursor", None)
    # Raw lets other encodings pass, and what is read here is shown to clients (E09).
    if not bytes(result).isascii():
        bytes(result).decode()
    entries = []
    for item in jsonrpc.items(array):
        name = _name(item, method.key)
        if name is not None:
            entries.append(Entry(name, item))
    return Page(tuple(entries), jsonrpc.text(cursor), parts)


def _name(item: Raw, key: str) -> str | None:
    decoder = _names if key == "name" else _uris if key == "uri" else _templates
    try:
        return decoder.decode(item).value
    except msgspec.DecodeError:
        return None


class _Named(Struct):
    value: str = msgspec.field(name="name")


class _Located(Struct):
    value: str = msgspec.field(name="uri")


class _Template(Struct):
    value: str = msgspec.field(name="uriTemplate")


_names = msgspec.json.Decoder(_Named)
_uris = msgspec.json.Decoder(_Located)
_templates = msgspec.json.Decoder(_Template)


def first_of_each(entries: Iterable[Entry]) -> list[Entry]:
    """A name listed twice by one server counts once: the first is kept (E51)."""
    seen: dict[str, Entry] = {}
    for entry in entries:
        seen.setdefault(entry.name, entry)
    return list(seen.values())


def behind_shared_door(entry: Entry, method: Method, server: str, separator: str) -> Raw:
    """The entry under the name it has behind the shared door."""
    parts = jsonrpc.fields(entry.raw)
    if method.key == "name":
        parts["name"] = jsonrpc.raw(names.join(server, entry.name, separator))
        if b"ui://" in bytes(entry.raw):
            names.join_ui(parts, server)
    else:
        parts[method.key] = jsonrpc.raw(names.join_uri(server, entry.name))
    return Raw(jsonrpc.join(parts))


def listing(
    items: Sequence[Raw],
    method: Method,
    *,
    rest: dict[str, Raw],
    missing: dict[str, str],
    modern: bool,
    seconds: float,
) -> Raw:
    """One complete page that holds for so many `seconds`.

    What is filtered by caller is private, however public its sources are (RG-10).
    """
    parts = {method.items: Raw(jsonrpc.join_array(list(items))), **rest}
    if modern:
        parts["resultType"] = Raw(b'"complete"')
        parts["cacheScope"] = Raw(b'"private"')
        parts["ttlMs"] = Raw(b"%d" % (0 if missing else seconds * 1000))
    if missing:
        meta = jsonrpc.fields(parts["_meta"]) if "_meta" in parts else {}
        meta[MISSING] = jsonrpc.raw([{"server": name, "reason": why} for name, why in missing.items()])
        parts["_meta"] = Raw(jsonrpc.join(meta))
    return Raw(jsonrpc.join(parts))


DELIVERABLE = {
    "completions": frozenset[str](),
    "logging": frozenset[str](),
    "prompts": frozenset({"listChanged"}),
    "resources": frozenset({"listChanged", "subscribe"}),
    "tools": frozenset({"listChanged"}),
}
"""What an aggregate may promise, since the gateway has a path for it (E56)."""


def capabilities(of_servers: Iterable[Any]) -> dict[str, dict[str, bool]]:
    """The union of what can be delivered; unknown ones stay on the doors of single servers."""
    union: dict[str, dict[str, bool]] = {}
    for one in of_servers:
        for name, settings in sorted(one.items()) if isinstance(one, dict) else ():
            if name not in DELIVERABLE or not isinstance(settings, dict):
                continue
            kept = {
                key: True for key in sorted(settings) if key in DELIVERABLE[name] and settings[key] is True
            }
            union.setdefault(name, {}).update(kept)
    return union


def instructions(of_servers: dict[str, Any]) -> str | None:
    """The servers' instructions with attribution and a bound: they are words of strangers (E57)."""
    parts = [f"## {name}\n{text}" for name, text in of_servers.items() if isinstance(text, str) and text]
    return "\n\n".join(parts)[:MAX_INSTRUCTIONS] or None
