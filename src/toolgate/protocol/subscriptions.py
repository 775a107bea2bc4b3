"""The words of `subscriptions/listen`: what a client wants to hear of, and what it hears. No I/O.

https://modelcontextprotocol.io/specification/2026-07-28/basic/patterns/subscriptions
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Raw, Struct

from toolgate.errors import INVALID_PARAMS, Refusal
from toolgate.model import Kind
from toolgate.protocol import bridge, jsonrpc, modern, names

ACKNOWLEDGED = "notifications/subscriptions/acknowledged"
UPDATED = "notifications/resources/updated"
LIST_CHANGED = {
    "toolsListChanged": "notifications/tools/list_changed",
    "promptsListChanged": "notifications/prompts/list_changed",
    "resourcesListChanged": "notifications/resources/list_changed",
}
"""What a filter calls it, and the notification."""

KIND_OF = {
    LIST_CHANGED["toolsListChanged"]: Kind.TOOL,
    LIST_CHANGED["promptsListChanged"]: Kind.PROMPT,
    LIST_CHANGED["resourcesListChanged"]: Kind.RESOURCE,
}

_NEWS = re.compile(rb'"method"\s*:\s*"(notifications/(?:tools|prompts|resources)/list_changed)"')

MAX_URIS = 1000
MAX_ID = 1024
"""Bytes of the id of a listen request, which is repeated in every message (E71)."""

_URIS = "resourceSubscriptions"
_ID_KEY = modern.META + "subscriptionId"


class Wanted(Struct, frozen=True):
    """What is to be heard of."""

    lists: tuple[str, ...] = ()
    """Keys of `LIST_CHANGED`."""
    uris: tuple[str, ...] = ()
    rest: Mapping[str, Any] = {}
    """What only extensions know of."""

    def __bool__(self) -> bool:
        return bool(self.lists or self.uris or self.rest)


def wanted(id: bytes, params: Mapping[str, Any]) -> Wanted:
    """What a request asks for. Raises `Refusal` (-32602)."""
    if len(id) > MAX_ID:
        raise Refusal.invalid(f"The id of subscriptions/listen has at most {MAX_ID} bytes.")
    asked = params.get("notifications")
    if not isinstance(asked, dict):
        raise Refusal.invalid("params.notifications is required.", code=INVALID_PARAMS)
    return _read(asked)


def _read(asked: Mapping[str, Any]) -> Wanted:
    uris = asked.get(_URIS) or []
    if not isinstance(uris, list) or not all(isinstance(uri, str) for uri in uris):
        raise Refusal.invalid(f"{_URIS} is a list of URIs.", code=INVALID_PARAMS)
    if len(uris) > MAX_URIS:
        raise Refusal.invalid(f"At most {MAX_URIS} resources can be listened to.", code=INVALID_PARAMS)
    rest = {key: value for key, value in asked.items() if key not in LIST_CHANGED and key != _URIS}
    lists = tuple(key for key in LIST_CHANGED if asked.get(key) is True)
    return Wanted(lists, tuple(dict.fromkeys(uris)), rest)


def request(body: bytes, number: int, what: Wanted) -> bytes:
    """The client's request as one server gets it."""
    parts = jsonrpc.fields(body)
    params = jsonrpc.fields(parts["params"])
    params["notifications"] = jsonrpc.raw(written(what))
    parts["id"] = Raw(b"%d" % number)
    parts["params"] = Raw(jsonrpc.join(params))
    return jsonrpc.join(parts)


def written(what: Wanted) -> dict[str, Any]:
    """As `notifications` has it."""
    uris = {_URIS: list(what.uris)} if what.uris else {}
    return {**dict.fromkeys(what.lists, True), **uris, **what.rest}


def acknowledged(parts: Mapping[str, Raw]) -> Wanted:
    """What a server agreed to. Raises `Refusal` where its first message is something else."""
    if jsonrpc.text(parts.get("method")) != ACKNOWLEDGED:
        raise bridge.lie("the first message of a subscription acknowledges nothing")
    params = bridge.fields(parts.get("params", Raw(b"{}")))
    agreed = bridge.fields(params.get("notifications", Raw(b"{}")))
    try:
        return _read({key: jsonrpc.value(one) for key, one in agreed.items()})
    except (Refusal, ValueError) as error:
        raise bridge.lie(f"an acknowledgement that cannot be read: {error}") from None


def together(agreed: Iterable[Wanted]) -> Wanted:
    """What some server or other agreed to."""
    lists: dict[str, None] = {}
    uris: dict[str, None] = {}
    rest: dict[str, Any] = {}
    for one in agreed:
        lists.update(dict.fromkeys(one.lists))
        uris.update(dict.fromkeys(one.uris))
        rest.update(one.rest)
    return Wanted(tuple(key for key in LIST_CHANGED if key in lists), tuple(uris), rest)


def acknowledgement(id: bytes, what: Wanted) -> bytes:
    """The first message of the stream."""
    return _notification(ACKNOWLEDGED, id, {"notifications": jsonrpc.raw(written(what))})


def changed(id: bytes, key: str) -> bytes:
    """News of our own that a list changed."""
    return _notification(LIST_CHANGED[key], id, {})


def updated(id: bytes, uri: str) -> bytes:
    """News of our own that a resource may have changed."""
    return _notification(UPDATED, id, {"uri": jsonrpc.raw(uri)})


def _notification(method: str, id: bytes, params: dict[str, Raw]) -> bytes:
    parts = {"jsonrpc": Raw(b'"2.0"'), "method": jsonrpc.raw(method)}
    return _tagged(parts, params, id)


def _tagged(parts: dict[str, Raw], params: dict[str, Raw], id: bytes) -> bytes:
    meta = bridge.fields(params["_meta"]) if "_meta" in params else {}
    meta[_ID_KEY] = Raw(id)
    params["_meta"] = Raw(jsonrpc.join(meta))
    return jsonrpc.join({**parts, "params": Raw(jsonrpc.join(params))})


class News(Struct, frozen=True):
    """One notification for the client."""

    key: tuple[str, ...]
    """The same for what would say the same again."""
    message: bytes


def news(parts: dict[str, Raw], agreed: Wanted, id: bytes, server: str | None) -> News | None:
    """A server's notification in the client's words; None for what was not agreed to.

    `server` is named where URIs carry it. Raises `Refusal` for what cannot be read.
    """
    method = jsonrpc.text(parts.get("method")) or ""
    params = bridge.fields(parts.get("params", Raw(b"{}")))
    if method in KIND_OF:
        if not any(LIST_CHANGED[key] == method for key in agreed.lists):
            return None
        return News((method,), _tagged(parts, params, id))
    if method == UPDATED:
        uri = jsonrpc.text(params.get("uri")) or ""
        if not _covers(agreed.uris, uri):
            return None
        if server is not None:
            params["uri"] = jsonrpc.raw(names.join_uri(server, uri))
        return News((method, uri), _tagged(parts, params, id))
    # Of what extensions agreed to only they know the notifications; without them nothing else may pass.
    if not agreed.rest or "id" in parts or method in ("", ACKNOWLEDGED):
        return None
    return News(
        (method, bytes(parts.get("params", b"")).decode("utf-8", "replace")), _tagged(parts, params, id)
    )


def _covers(uris: tuple[str, ...], uri: str) -> bool:
    """Whether a resource was asked for: itself, or one that it is part of."""
    return any(uri == one or uri.startswith(one.rstrip("/") + "/") for one in uris)


def changed_kind(message: bytes) -> Kind | None:
    """Which of its lists a server says has changed; None for every other message."""
    found = _NEWS.search(message)
    return None if found is None else KIND_OF[found[1].decode()]


def finished(id: bytes) -> bytes:
    """The response that ends the stream."""
    meta = jsonrpc.join({_ID_KEY: Raw(id)})
    return jsonrpc.result_text(id, b'{"resultType":"complete","_meta":%b}' % meta)
