"""How names and URIs of many servers look behind one door, and back. No I/O.

Tools and prompts get `server` + separator in front; no server name holds the separator, so the first
one found divides (E48). What would be too long or odd then gets an alias that ends in a mark of the whole
name (E49). URIs get `server+` before their scheme, which RFC 3986 allows and which keeps templates valid;
`ui://` keeps its scheme, since hosts look for it, and takes the server as first segment (E58).
"""

import re
from collections.abc import Callable
from hashlib import sha256

from msgspec import Raw

from toolgate.protocol import jsonrpc

MAX_NAME = 64
"""128 characters are legal, but hosts of language models refuse more than 64."""
LONGEST_PREFIX = 36
"""A server's name and the separator."""

_UI = "ui://"
_USABLE = re.compile(r"[A-Za-z0-9_.-]+")
_ODD = re.compile(r"[^A-Za-z0-9_.-]")
_MARKED = re.compile(r"-([0-9a-f]{10})$")
_Change = Callable[[Raw, str], Raw]


def join(server: str, name: str, separator: str) -> str:
    """The name behind the shared door."""
    whole = f"{server}{separator}{name}"
    if len(whole) <= MAX_NAME and _USABLE.fullmatch(whole):
        return whole
    end = f"-{mark(name)}"
    return _ODD.sub("_", whole)[: MAX_NAME - len(end)] + end


def mark(name: str) -> str:
    """What an alias ends with: ten digits that stand for the whole name."""
    return sha256(name.encode()).hexdigest()[:10]


def marked(name: str) -> str | None:
    """The mark of a name that may be an alias."""
    found = _MARKED.search(name)
    return None if found is None else found[1]


def may_need_alias(name: str) -> bool:
    """Whether a server's own name is, behind some server's, unusable."""
    return len(name) > MAX_NAME - LONGEST_PREFIX or _USABLE.fullmatch(name) is None


def split(name: str, separator: str) -> tuple[str, str]:
    """Server and own name; the server is empty where the name has none."""
    server, found, own = name.partition(separator)
    return (server, own) if found else ("", name)


def join_uri(server: str, uri: str) -> str:
    """The URI behind the shared door."""
    return f"{_UI}{server}/{uri[len(_UI) :]}" if uri.startswith(_UI) else f"{server}+{uri}"


def split_uri(uri: str) -> tuple[str, str]:
    """Server and own URI; the server is empty where the URI has none."""
    if uri.startswith(_UI):
        server, found, rest = uri[len(_UI) :].partition("/")
        return (server, _UI + rest) if found else ("", uri)
    scheme, colon, _ = uri.partition(":")
    server, found, _ = scheme.partition("+")
    return (server, uri[len(server) + 1 :]) if colon and found else ("", uri)


def join_uris_of(result: Raw, server: str) -> Raw:
    """A result with the URIs that clients may read put behind the shared door.

    Touched are `contents[].uri`, resource links and embedded resources in `content[]` and
    `messages[].content`, and the page of an app in `_meta`: not text, not `structuredContent`.
    """
    text = bytes(result)
    if b'"uri"' not in text and b"ui://" not in text:
        return result
    parts = jsonrpc.fields(result)
    join_ui(parts, server)
    for field, change in (("contents", _with_uri), ("content", _content), ("messages", _message)):
        if field in parts:
            parts[field] = _each(parts[field], change, server)
    return Raw(jsonrpc.join(parts))


def join_ui(parts: dict[str, Raw], server: str) -> None:
    """The page of an app that a tool or a result names in `_meta`, in either way of writing it."""
    meta = _object(parts.get("_meta"))
    settings = _object(meta.get("ui"))
    flat = jsonrpc.text(meta.get("ui/resourceUri"))
    nested = jsonrpc.text(settings.get("resourceUri"))
    if flat is not None:
        meta["ui/resourceUri"] = jsonrpc.raw(join_uri(server, flat))
    if nested is not None:
        settings["resourceUri"] = jsonrpc.raw(join_uri(server, nested))
        meta["ui"] = Raw(jsonrpc.join(settings))
    if flat is not None or nested is not None:
        parts["_meta"] = Raw(jsonrpc.join(meta))


def _object(value: Raw | None) -> dict[str, Raw]:
    """The fields of what should be an object; none where it is something else, which then stays as it is."""
    try:
        return {} if value is None else jsonrpc.fields(value)
    except ValueError:
        return {}


def _each(array: Raw, change: _Change, server: str) -> Raw:
    return Raw(jsonrpc.join_array([change(item, server) for item in jsonrpc.items(array)]))


def _with_uri(item: Raw, server: str) -> Raw:
    parts = jsonrpc.fields(item)
    uri = jsonrpc.text(parts.get("uri"))
    if uri is None:
        return item
    parts["uri"] = jsonrpc.raw(join_uri(server, uri))
    return Raw(jsonrpc.join(parts))


def _content(item: Raw, server: str) -> Raw:
    parts = jsonrpc.fields(item)
    kind = jsonrpc.text(parts.get("type"))
    if kind == "resource_link":
        return _with_uri(item, server)
    if kind == "resource" and "resource" in parts:
        parts["resource"] = _with_uri(parts["resource"], server)
        return Raw(jsonrpc.join(parts))
    return item


def _message(item: Raw, server: str) -> Raw:
    parts = jsonrpc.fields(item)
    if "content" not in parts:
        return item
    parts["content"] = _content(parts["content"], server)
    return Raw(jsonrpc.join(parts))
