"""A stateless client's words for a server with sessions, and that server's words back. No I/O.

Down: the envelope leaves `_meta`; capabilities and client go into the handshake instead, and answers to
questions to the call that asked. Up: results get `resultType`, lists and reads `ttlMs` and `cacheScope`;
-32002 becomes -32602, and codes that only 2026-07-28 may give become -32603.
"""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import msgspec
import orjson
from msgspec import Raw, Struct

from toolgate.errors import INTERNAL_ERROR, INVALID_PARAMS, METHOD_NOT_FOUND, Refusal
from toolgate.protocol import asking, bridge, jsonrpc, modern, subscriptions, versions
from toolgate.protocol.methods import MAY_ASK

LEVELS = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
"""Of log messages, the most talkative first."""

UNCAUGHT = 0
"""The code that Python's SDK up to 1.x gives to whatever a handler raised, a missing resource among it (E89)."""

RESOURCE_NOT_FOUND = -32002
"""What servers with sessions answer for an unknown resource (2025-11-25, server/resources)."""

_CLIENT_KEY = modern.META + "clientInfo"
_LEVEL_KEY = modern.META + "logLevel"
_KEPT_TO_ITSELF = (modern.VERSION_KEY, modern.CAPABILITIES_KEY, _CLIENT_KEY, _LEVEL_KEY)
_COMPLETE = Raw(b'"complete"')
_CACHEABLE = frozenset(
    {"prompts/list", "resources/list", "resources/read", "resources/templates/list", "tools/list"}
)
_NO_CACHE = {"ttlMs": Raw(b"0"), "cacheScope": Raw(b'"private"')}
_LISTS = {"toolsListChanged": "tools", "promptsListChanged": "prompts", "resourcesListChanged": "resources"}

_RESERVED = range(-32099, -32019)


class Request(Struct, frozen=True, eq=False):
    """A stateless client's request, taken apart."""

    message: bytes
    """As a server with sessions gets it."""
    capabilities: bytes
    """JSON of what the client can be asked for."""
    client: bytes
    """JSON of what the client says it is; empty where it does not."""
    level: int | None
    """Place in `LEVELS` of the least log message the client wants; None for no log."""
    digest: bytes
    """Of what the call is about, where it may ask the client back; the same in every round."""
    state: str | None = None
    """What the client was told to bring back."""
    answers: Mapping[str, Raw] = {}
    """The client's answers, by the key of the question."""


def request(message: bytes, method: str) -> Request:
    """Take a request apart. Raises `Refusal` (-32602) for a log level or answers that cannot be."""
    parts = jsonrpc.fields(message)
    params = jsonrpc.fields(parts["params"])
    meta = jsonrpc.fields(params["_meta"])
    kept = {key: meta.pop(key) for key in _KEPT_TO_ITSELF if key in meta}
    state, answers = params.pop("requestState", None), params.pop("inputResponses", None)
    if meta:
        params["_meta"] = Raw(jsonrpc.join(meta))
    else:
        del params["_meta"]
    parts["params"] = Raw(jsonrpc.join(params))
    return Request(
        message=jsonrpc.join(parts),
        capabilities=bytes(kept[modern.CAPABILITIES_KEY]),
        client=bytes(kept.get(_CLIENT_KEY, b"")),
        level=_level(kept.get(_LEVEL_KEY)),
        digest=_digest(params) if method in MAY_ASK else b"",
        state=jsonrpc.text(state),
        answers={} if answers is None else asking.object_of(answers, "inputResponses"),
    )


def _digest(params: Mapping[str, Raw]) -> bytes:
    values = {key: json.loads(bytes(value)) for key, value in params.items() if key != "_meta"}
    return sha256(json.dumps(values, sort_keys=True).encode()).digest()


def _level(text: Raw | None) -> int | None:
    if text is None:
        return None
    name = jsonrpc.text(text)
    if name not in LEVELS:
        raise Refusal.invalid(f"{_LEVEL_KEY} is one of {', '.join(LEVELS)}.", code=INVALID_PARAMS)
    return LEVELS.index(name)


def passes(parts: dict[str, Raw], level: int | None) -> bool:
    """Whether a notification within a call is for a client that asked for this level of log (E47)."""
    method = jsonrpc.text(parts["method"])
    if method != "notifications/message":
        return method == "notifications/progress"
    name = jsonrpc.text(bridge.fields(parts.get("params", Raw(b"{}"))).get("level"))
    return level is not None and name in LEVELS and LEVELS.index(name) >= level


def about_log(level: int) -> bytes:
    """The parameters that make a session's log as talkative as `level`."""
    return orjson.dumps({"level": LEVELS[level]})


def about_resource(uri: str) -> bytes:
    """The parameters that name a resource."""
    return orjson.dumps({"uri": uri})


def is_news(parts: dict[str, Raw]) -> bool:
    """Whether a notification is for those who follow changes, wherever it came."""
    method = jsonrpc.text(parts["method"])
    return method == subscriptions.UPDATED or method in subscriptions.KIND_OF


def offered(message: bytes, offers: Mapping[str, Raw]) -> subscriptions.Wanted:
    """What of a `subscriptions/listen` a server with these capabilities tells of."""
    wanted = subscriptions.wanted(b"", jsonrpc.value(jsonrpc.fields(message)["params"]))
    lists = [key for key in wanted.lists if _says(offers, _LISTS[key], "listChanged")]
    return subscriptions.Wanted(tuple(lists), wanted.uris if _says(offers, "resources", "subscribe") else ())


def _says(offers: Mapping[str, Raw], capability: str, feature: str) -> bool:
    return bytes(bridge.fields(offers.get(capability, Raw(b"{}"))).get(feature, b"")) == b"true"


def wants_task(message: bytes) -> bool:
    """Whether a server refuses a call since its tool answers later only (`taskSupport: required`)."""
    error = bridge.fields(message).get("error")
    return error is not None and jsonrpc.error_code(error) == METHOD_NOT_FOUND


def as_task(message: bytes) -> bytes:
    """The parameters of the call, to be answered later."""
    params = jsonrpc.fields(jsonrpc.fields(message)["params"])
    params["task"] = Raw(b"{}")
    return jsonrpc.join(params)


def task_of(parts: dict[str, Raw]) -> bytes | None:
    """The parameters that ask about the task that was created; None where it was not."""
    result = bridge.fields(parts.get("result", Raw(b"{}")))
    task = bridge.fields(result["task"]) if "task" in result else {}
    return jsonrpc.join({"taskId": task["taskId"]}) if "taskId" in task else None


def unrelated(message: bytes) -> bytes:
    """A message without its mention of a task, which the client knows nothing of."""
    parts = bridge.fields(message)
    field = "result" if "result" in parts else "params"
    about = bridge.fields(parts.get(field, Raw(b"{}")))
    if b"related-task" not in message or "_meta" not in about:
        return message
    meta = bridge.fields(about.pop("_meta"))
    meta.pop(modern.META + "related-task", None)
    if meta:
        about["_meta"] = Raw(jsonrpc.join(meta))
    parts[field] = Raw(jsonrpc.join(about))
    return jsonrpc.join(parts)


def renumbered(parts: dict[str, Raw], number: int) -> bytes:
    """A notification for the present round: progress of a call in its second round has the first one's token."""
    if jsonrpc.text(parts["method"]) == "notifications/progress":
        params = bridge.fields(parts["params"])
        params["progressToken"] = Raw(b"%d" % number)
        parts["params"] = Raw(jsonrpc.join(params))
    return jsonrpc.join(parts)


def response(parts: dict[str, Raw], method: str, name: str) -> bytes:
    """A server's response about `name` in the words of 2026-07-28. Raises `Refusal` where it is none."""
    if "result" in parts:
        result = bridge.fields(parts["result"])
        result["resultType"] = _COMPLETE
        if method in _CACHEABLE:
            result.update(_NO_CACHE)
        parts["result"] = Raw(jsonrpc.join(result))
    elif "error" in parts:
        parts["error"] = _error(parts["error"], method, name)
    else:
        raise bridge.lie("a response without result or error")
    return jsonrpc.join(parts)


def _error(error: Raw, method: str, name: str) -> Raw:
    code, parts = jsonrpc.error_code(error), bridge.fields(error)
    if method == "resources/read" and _is_not_found(code, parts):
        parts["code"] = Raw(b"%d" % INVALID_PARAMS)
        parts.setdefault("data", jsonrpc.raw({"uri": name}))
    elif code in _RESERVED or code == UNCAUGHT:
        parts["code"] = Raw(b"%d" % INTERNAL_ERROR)
    else:
        return error
    return Raw(jsonrpc.join(parts))


def _is_not_found(code: int | None, error: Mapping[str, Raw]) -> bool:
    text = jsonrpc.text(error.get("message")) or ""
    return code == RESOURCE_NOT_FOUND or (code == UNCAUGHT and text.startswith("Unknown resource"))


def discovered(initialized: bytes) -> bytes:
    """The DiscoverResult that says what an InitializeResult said. Raises `Refusal` where that is no object."""
    said = bridge.fields(initialized)
    kept = {"instructions": said["instructions"]} if "instructions" in said else {}
    capabilities = bridge.fields(said.get("capabilities", Raw(b"{}")))
    capabilities.pop("tasks", None)
    parts = {
        "resultType": _COMPLETE,
        "supportedVersions": jsonrpc.raw(versions.SUPPORTED),
        "capabilities": Raw(jsonrpc.join(capabilities)),
        **kept,
        **_NO_CACHE,
    }
    if "serverInfo" in said:
        parts["_meta"] = Raw(jsonrpc.join({modern.META + "serverInfo": said["serverInfo"]}))
    return jsonrpc.join(parts)


def declared(capabilities: bytes) -> dict[str, Any]:
    """The capabilities as an object; the client's message was read strictly before."""
    return dict(msgspec.json.decode(capabilities))
