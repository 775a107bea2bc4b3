"""A client's words of the revisions with sessions for a stateless server, and that server's words back. No I/O.

Down: `_meta` gets the envelope, which is what the client said of itself in `initialize`, capabilities as
2026-07-28 writes them. Up: results lose what only 2026-07-28 has, content that the client's revision does not
know becomes text or is left out, and errors about our own envelope become -32603: the client did nothing wrong.
"""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from msgspec import Raw, Struct

from toolgate.errors import (
    HEADER_MISMATCH,
    INTERNAL_ERROR,
    MISSING_CAPABILITY,
    UNSUPPORTED_VERSION,
    Refusal,
)
from toolgate.model import Session
from toolgate.protocol import asking, bridge, jsonrpc, modern, subscriptions, to_sessions, versions
from toolgate.protocol.methods import MAY_ASK

MAX_QUESTIONS = 16
"""In one round."""

_ENVELOPE_ERRORS = frozenset({HEADER_MISMATCH, MISSING_CAPABILITY, UNSUPPORTED_VERSION})
_OF_2026 = ("resultType", "ttlMs", "cacheScope")
_IDENTITY = modern.META + "serverInfo"


def request(message: bytes, session: Session, level: str | None) -> bytes:
    """The request with all that a stateless server must know of the client."""
    parts = jsonrpc.fields(message)
    params = jsonrpc.fields(parts.get("params", Raw(b"{}")))
    meta = jsonrpc.fields(params.get("_meta", Raw(b"{}")))
    for key, value in envelope(session, level).items():
        meta[key] = jsonrpc.raw(value)
    params["_meta"] = Raw(jsonrpc.join(meta))
    parts["params"] = Raw(jsonrpc.join(params))
    return jsonrpc.join(parts)


def envelope(session: Session, level: str | None = None) -> dict[str, Any]:
    """The keys of `_meta` that stand for a session."""
    keys = {
        modern.VERSION_KEY: versions.MODERN,
        modern.CAPABILITIES_KEY: capabilities(session),
        modern.META + "clientInfo": session.client,
    }
    return keys if level is None else {**keys, modern.META + "logLevel": level}


def capabilities(session: Session) -> dict[str, Any]:
    """What the client can be asked for, in the words of 2026-07-28; what its revision has not is left out."""
    declared = {key: value for key, value in session.capabilities.items() if isinstance(value, dict)}
    latest = session.revision == versions.LATEST_LEGACY
    kept: dict[str, Any] = {key: declared[key] for key in ("experimental", "sampling") if key in declared}
    if "roots" in declared:
        kept["roots"] = {}
    if "elicitation" in declared and session.revision in versions.ELICITATION:
        kept["elicitation"] = declared["elicitation"] if latest else {"form": {}}
    if "sampling" in kept and not latest:
        kept["sampling"] = {}
    extensions = {key: value for key, value in declared.get("extensions", {}).items() if key != modern.TASKS}
    return {**kept, "extensions": extensions} if extensions else kept


def listen(number: int, session: Session, wanted: subscriptions.Wanted) -> bytes:
    """The request for the news of a session."""
    params = {"notifications": subscriptions.written(wanted), "_meta": envelope(session)}
    request = {"jsonrpc": "2.0", "id": number, "method": "subscriptions/listen", "params": params}
    return bytes(jsonrpc.raw(request))


def news(parts: dict[str, Raw]) -> bytes | None:
    """A notification of such a stream as a client with a session gets it; None for what it does not know."""
    if not to_sessions.is_news(parts):
        return None
    params = bridge.fields(parts.get("params", Raw(b"{}")))
    meta = bridge.fields(params.pop("_meta", Raw(b"{}")))
    meta.pop(modern.META + "subscriptionId", None)
    if meta:
        params["_meta"] = Raw(jsonrpc.join(meta))
    return jsonrpc.join({**parts, "params": Raw(jsonrpc.join(params))})


def all_changed(agreed: subscriptions.Wanted) -> list[bytes]:
    """The news that everything may have changed (E72)."""
    told: list[dict[str, Any]] = [{"method": subscriptions.LIST_CHANGED[key]} for key in agreed.lists]
    told += [{"method": subscriptions.UPDATED, "params": {"uri": uri}} for uri in agreed.uris]
    return [bytes(jsonrpc.raw({"jsonrpc": "2.0", **one})) for one in told]


def initialized(discovered: bytes, revision: str, name: str) -> bytes:
    """The InitializeResult that says what a DiscoverResult said. Raises `Refusal` where that is no object."""
    said = bridge.fields(discovered)
    offered = bridge.fields(said.get("capabilities", Raw(b"{}")))
    if "extensions" in offered:
        extensions = bridge.fields(offered["extensions"])
        extensions.pop(modern.TASKS, None)
        offered["extensions"] = Raw(jsonrpc.join(extensions))
    meta = bridge.fields(said.get("_meta", Raw(b"{}")))
    parts = {
        "protocolVersion": jsonrpc.raw(revision),
        "capabilities": Raw(jsonrpc.join(offered)),
        "serverInfo": meta.get(_IDENTITY, jsonrpc.raw({"name": name, "version": "0"})),
    }
    if "instructions" in said:
        parts["instructions"] = said["instructions"]
    return jsonrpc.join(parts)


def response(parts: dict[str, Raw], method: str, revision: str) -> bytes:
    """A server's response in the words of the client's revision. Raises `Refusal` for what it cannot read."""
    if "result" in parts:
        parts["result"] = Raw(jsonrpc.join(_result(bridge.fields(parts["result"]), method, revision)))
    elif "error" not in parts:
        raise bridge.lie("a response without result or error")
    elif jsonrpc.error_code(parts["error"]) in _ENVELOPE_ERRORS:
        parts["error"] = jsonrpc.raw(
            {"code": INTERNAL_ERROR, "message": "The server behind this tool failed."}
        )
    return jsonrpc.join(parts)


def result_type(result: Raw) -> str:
    """`complete` or `input_required`. Raises `Refusal` for any other, which no client of ours agreed to (E69)."""
    parts = bridge.fields(result)
    kind = jsonrpc.text(parts["resultType"]) if "resultType" in parts else "complete"
    if kind not in ("complete", "input_required"):
        raise broken(f"a result of type {kind!r}")
    return kind


class Asked(Struct, frozen=True, eq=False):
    """A round of questions."""

    questions: dict[str, Raw]
    """Entries of `inputRequests` as requests of the client's revision take them."""
    state: Raw | None
    """To be brought back as it is."""


def asked(result: Raw, method: str) -> Asked:
    """The questions of an `input_required`. Raises `Refusal` where the server may not ask so (E68)."""
    parts = bridge.fields(result)
    questions = bridge.fields(parts.get("inputRequests", Raw(b"{}")))
    if method not in MAY_ASK or not (questions or "requestState" in parts) or len(questions) > MAX_QUESTIONS:
        raise broken("questions that may not be asked")
    entries = {key: _question(entry) for key, entry in questions.items()}
    return Asked(entries, parts.get("requestState"))


def _question(entry: Raw) -> Raw:
    parts = bridge.fields(entry)
    params = bridge.fields(parts.get("params", Raw(b"{}")))
    if jsonrpc.text(params.get("mode")) == "url":
        # Revisions with sessions name each such question (2025-11-25, client/elicitation).
        params["elicitationId"] = jsonrpc.raw(str(uuid4()))
    return Raw(jsonrpc.join({"method": parts.get("method", Raw(b'""')), "params": Raw(jsonrpc.join(params))}))


def undeclared(questions: Mapping[str, Raw], session: Session) -> bool:
    """Whether the client never offered to answer one of them (E67). Raises `Refusal` for what nobody can answer."""
    declared = capabilities(session)
    for entry in questions.values():
        parts = bridge.fields(entry)
        method = jsonrpc.text(parts["method"]) or ""
        if asking.undeclared(method, parts["params"], declared) is not None:
            return True
    return False


def answered(message: bytes, number: int, answers: Mapping[str, Raw], state: Raw | None) -> bytes:
    """The same request once more, with the answers of this round only."""
    parts = jsonrpc.fields(message)
    params = jsonrpc.fields(parts["params"])
    if answers:
        params["inputResponses"] = Raw(jsonrpc.join(dict(answers)))
    if state is not None:
        params["requestState"] = state
    parts["id"] = Raw(b"%d" % number)
    parts["params"] = Raw(jsonrpc.join(params))
    return jsonrpc.join(parts)


def unanswered(number: int, method: str) -> bytes:
    """The response where the client cannot be asked, or does not answer. Raises `Refusal` but for tools."""
    text = "This needs an answer that the client did not give."
    if method != "tools/call":
        raise Refusal("upstream", "unanswered", text, code=INTERNAL_ERROR, status=200)
    result = {"content": [{"type": "text", "text": text}], "isError": True}
    return jsonrpc.result(b"%d" % number, result)


def broken(reason: str) -> Refusal:
    """The server does what the protocol forbids it (E68, E69)."""
    return Refusal.upstream("upstream_invalid", reason, code=INTERNAL_ERROR)


def _result(parts: dict[str, Raw], method: str, revision: str) -> dict[str, Raw]:
    for key in _OF_2026:
        parts.pop(key, None)
    if "_meta" in parts:
        meta = bridge.fields(parts.pop("_meta"))
        meta.pop(_IDENTITY, None)
        if meta:
            parts["_meta"] = Raw(jsonrpc.join(meta))
    if method == "tools/list" and "tools" in parts:
        tools = [_without_odd_schema(tool) for tool in jsonrpc.items(parts["tools"])]
        parts["tools"] = Raw(jsonrpc.join_array(tools))
    elif method == "tools/call":
        _drop_unless_object(parts, "structuredContent")
        if "content" in parts:
            parts["content"] = _each(parts["content"], revision)
    elif method == "prompts/get" and "messages" in parts:
        parts["messages"] = Raw(
            jsonrpc.join_array([_message(item, revision) for item in jsonrpc.items(parts["messages"])])
        )
    return parts


def _drop_unless_object(parts: dict[str, Raw], field: str) -> None:
    if field in parts and not bytes(parts[field]).lstrip().startswith(b"{"):
        del parts[field]


def _without_odd_schema(tool: Raw) -> Raw:
    """Output schemas of old revisions describe objects only."""
    parts = bridge.fields(tool)
    if "outputSchema" not in parts:
        return tool
    _drop_unless_object(parts, "outputSchema")
    schema = bridge.fields(parts.get("outputSchema", Raw(b"{}")))
    if jsonrpc.text(schema.get("type")) == "object":
        return tool
    parts.pop("outputSchema", None)
    return Raw(jsonrpc.join(parts))


def _each(content: Raw, revision: str) -> Raw:
    return Raw(jsonrpc.join_array([_block(item, revision) for item in jsonrpc.items(content)]))


def _message(item: Raw, revision: str) -> Raw:
    parts = bridge.fields(item)
    if "content" in parts:
        parts["content"] = _block(parts["content"], revision)
    return Raw(jsonrpc.join(parts))


def _block(block: Raw, revision: str) -> Raw:
    """A content block that the revision knows: newer kinds become text."""
    parts = bridge.fields(block)
    kind = jsonrpc.text(parts.get("type"))
    if kind == "resource_link" and revision not in versions.RESOURCE_LINKS:
        return jsonrpc.raw({"type": "text", "text": jsonrpc.text(parts.get("uri")) or ""})
    if kind == "audio" and revision not in versions.AUDIO:
        kind = jsonrpc.text(parts.get("mimeType")) or "audio"
        return jsonrpc.raw({"type": "text", "text": f"[{kind}: this client's protocol carries no sound]"})
    return block
