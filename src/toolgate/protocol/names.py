"""How names and URIs of many servers look behind one door, and back. No I/O.

Tools and prompts get `server` + separator in front; no server name holds the separator, so the first
one found divides (E48). URIs get `server+` before their scheme, which RFC 3986 allows and which keeps
templates valid; `ui://` keeps its scheme, since hosts look for it, and takes the server as first segment (E58).
"""

from collections.abc import Callable

from msgspec import Raw

from toolgate.protocol import jsonrpc

_UI = "ui://"
_Change = Callable[[Raw, str], Raw]


def join(server: str, name: str, separator: str) -> str:
    """The name behind the shared door."""
    return f"{server}{separator}{name}"


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
    `messages[].content`: not text, not `structuredContent`.
    """
    if b'"uri"' not in bytes(result):
        return result
    parts = jsonrpc.fields(result)
    for field, change in (("contents", _with_uri), ("content", _content), ("messages", _message)):
        if field in parts:
            parts[field] = _each(parts[field], change, server)
    return Raw(jsonrpc.join(parts))


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
