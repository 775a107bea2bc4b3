"""Messages on their way between the client's hop and the upstream's: ids, tokens, names. No I/O.

| client -> upstream | what happens here |
|---|---|
| modern -> modern | a fresh id and progress token; on the shared door name or URI lose their prefix |
| legacy -> legacy | the same, and ids of server requests carry the server they go back to |
| modern -> legacy, legacy -> modern | the same; `to_sessions.py` and `to_stateless.py` do the rest |

Ids and progress tokens are made anew for each hop: two clients may use the same ones (E01, E41), and a
process-wide number needs no table to tell whose message it is.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Any

from msgspec import Raw, Struct

from toolgate.errors import INTERNAL_ERROR, Refusal
from toolgate.model import Call
from toolgate.protocol import jsonrpc, modern, names, versions
from toolgate.protocol.methods import MAY_ASK, METHODS

MAX_COMPLETIONS = 100


class Sort(StrEnum):
    """What a message from an upstream is."""

    RESULT = "result"
    ERROR = "error"
    REQUEST = "request"
    NOTIFICATION = "notification"


class Incoming(Struct, eq=False):
    """A message from an upstream, as the client gets it."""

    sort: Sort
    message: bytes
    code: int | None = None
    """The code of an error."""
    tool_error: bool = False
    """A tool's result that says `isError`."""


def outbound(call: Call, number: int, own_name: str) -> bytes:
    """The call as the upstream gets it: `number` as id and progress token, the target by its own name."""
    parts = jsonrpc.fields(call.body)
    parts["id"] = Raw(b"%d" % number)
    token = has_progress_token(call)
    if token or own_name != call.name or "ref" in call.params:
        params = jsonrpc.fields(parts["params"])
        field = METHODS[call.method].name
        if field and own_name != call.name:
            params[field] = jsonrpc.raw(own_name)
        if "ref" in call.params and own_name:
            params["ref"] = jsonrpc.raw(reference(call.params["ref"], own_name))
        if token:
            meta = jsonrpc.fields(params["_meta"])
            meta["progressToken"] = parts["id"]
            params["_meta"] = Raw(jsonrpc.join(meta))
        parts["params"] = Raw(jsonrpc.join(params))
    return jsonrpc.join(parts)


def own_listing(call: Call, method: str) -> Call:
    """A list request of our own on behalf of a client that made this call."""
    said = call.params.get("_meta")
    meta = {key: said[key] for key in said if key != "progressToken"} if isinstance(said, dict) else None
    params = {"_meta": meta} if meta else {}
    body = jsonrpc.raw({"jsonrpc": "2.0", "id": 0, "method": method, "params": params})
    return Call(call.revision, call.door, method, bytes(body), params, id=b"0", session=call.session)


def next_page(message: bytes, cursor: str) -> bytes:
    """The same list request for the page at a cursor."""
    parts = jsonrpc.fields(message)
    params = jsonrpc.fields(parts["params"]) if "params" in parts else {}
    params["cursor"] = jsonrpc.raw(cursor)
    parts["params"] = Raw(jsonrpc.join(params))
    return jsonrpc.join(parts)


def reference(ref: Any, own_name: str) -> Any:
    """A completion reference with the upstream's own name (E60)."""
    if not isinstance(ref, dict):
        return ref
    field = "uri" if "uri" in ref else "name"
    return {**ref, field: own_name}


def has_progress_token(call: Call) -> bool:
    """Whether the client asked for progress."""
    meta = call.params.get("_meta")
    return isinstance(meta, dict) and "progressToken" in meta


class Return:
    """Puts what an upstream says about one call into the client's words."""

    def __init__(self, call: Call, number: int, server: str, *, shared: bool) -> None:
        """`shared`: the call came by the door of many servers, so URIs carry their server."""
        self._id = Raw(call.id or b"null")
        self._number = b"%d" % number
        self._server = server
        self._shared = shared
        self._progress: Raw | None = None
        if has_progress_token(call):
            token = call.params["_meta"]["progressToken"]
            self._progress = Raw(jsonrpc.id_text(token)) if isinstance(token, str | int) else None
        self._method = call.method
        self._call = call
        self.change: Callable[[bytes], bytes] | None = None
        """Done first to what speaks of a task."""

    def read(self, message: bytes) -> Incoming:
        """The message for the client. Raises `Refusal` for what no honest server says."""
        if self.change is not None and b'"taskId"' in message:
            message = self.change(message)
        parts = fields(message)
        if "method" in parts:
            return self._request(parts) if "id" in parts else self._notification(parts)
        if "result" in parts:
            if b'"resultType":"complete"' not in message and versions.is_modern(self._call.revision):
                check_result_type(parts["result"], self._call)
            return self._result(parts)
        if "error" in parts:
            return self._error(parts)
        raise lie("a message without method, result or error")

    def _result(self, parts: dict[str, Raw]) -> Incoming:
        if bytes(parts.get("id", Raw(b"null"))) != self._number:
            raise lie("a result with another id")
        failed = self._method == "tools/call" and jsonrpc.is_tool_error(parts["result"])
        if self._method == "completion/complete":
            parts["result"] = _at_most(MAX_COMPLETIONS, parts["result"])
        parts["id"] = self._id
        if self._shared:
            parts["result"] = self._with_joined_uris(parts["result"])
        return Incoming(Sort.RESULT, jsonrpc.join(parts), tool_error=failed)

    def _with_joined_uris(self, result: Raw) -> Raw:
        try:
            return names.join_uris_of(result, self._server)
        except ValueError as error:
            raise lie(f"not a result: {error}") from None

    def _error(self, parts: dict[str, Raw]) -> Incoming:
        # Some servers answer errors with an id of their own making: the stream says whose it is (E89).
        code = jsonrpc.error_code(parts["error"])
        if code is None:
            raise lie("an error without a code")
        parts["id"] = self._id
        return Incoming(Sort.ERROR, jsonrpc.join(parts), code=code)

    def _request(self, parts: dict[str, Raw]) -> Incoming:
        parts["id"] = jsonrpc.raw(address(self._server, bytes(parts["id"])))
        return Incoming(Sort.REQUEST, jsonrpc.join(parts))

    def _notification(self, parts: dict[str, Raw]) -> Incoming:
        if jsonrpc.text(parts["method"]) == "notifications/progress":
            if self._progress is None:
                raise Unasked
            params = fields(parts.get("params", Raw(b"{}")))
            if bytes(params.get("progressToken", Raw(b"null"))) != self._number:
                raise Unasked
            params["progressToken"] = self._progress
            parts["params"] = Raw(jsonrpc.join(params))
        return Incoming(Sort.NOTIFICATION, jsonrpc.join(parts))


def check_result_type(result: Raw, call: Call) -> None:
    """Raises `Refusal` for a kind of result that a stateless client may not be given (E68, E69)."""
    parts = fields(result)
    kind = jsonrpc.text(parts["resultType"]) if "resultType" in parts else "complete"
    if kind == "complete":
        return
    if kind == "input_required" and call.method in MAY_ASK:
        good = "inputRequests" in parts or "requestState" in parts
    else:
        later = call.method == "tools/call" and modern.declares(call.params, modern.TASKS)
        good = kind == "task" and later
    if not good:
        reason = f"a result of type {kind!r} to {call.method}"
        raise Refusal.upstream("upstream_invalid", reason, code=INTERNAL_ERROR)


class Unasked(Exception):
    """A notification nobody asked for: dropped, the call goes on (E41)."""


def unrelated(message: bytes, server: str, *, shared: bool) -> bytes | None:
    """A message of the stream that belongs to no call, for the client; None for what must not pass."""
    try:
        parts = jsonrpc.fields(message)
        if "method" not in parts:
            return None
        if "id" in parts:
            parts["id"] = jsonrpc.raw(address(server, bytes(parts["id"])))
        elif shared and jsonrpc.text(parts["method"]) == "notifications/resources/updated":
            params = jsonrpc.fields(parts.get("params", Raw(b"{}")))
            params["uri"] = jsonrpc.raw(names.join_uri(server, jsonrpc.text(params.get("uri")) or ""))
            parts["params"] = Raw(jsonrpc.join(params))
    except ValueError:
        return None
    return jsonrpc.join(parts)


def address(server: str, id_text: bytes) -> str:
    """The id under which a client answers a request of `server`; it says where the answer goes."""
    return f"{server}/{id_text.decode('utf-8', 'replace')}"


def addressee(id_text: bytes) -> tuple[str, bytes] | None:
    """Server and original id of an answered request; None for an id the gateway never gave."""
    server, found, text = (jsonrpc.text(Raw(id_text)) or "").partition("/")
    return (server, text.encode()) if found else None


def answer(body: bytes, id_text: bytes) -> bytes:
    """A client's response with the id its server knows."""
    parts = jsonrpc.fields(body)
    parts["id"] = Raw(id_text)
    return jsonrpc.join(parts)


def cancelled(number: int, reason: str = "") -> bytes:
    """Tells a server of the session revisions that a call is not wanted any more."""
    params: dict[str, Any] = {"requestId": number}
    if reason:
        params["reason"] = reason
    return b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":%b}' % jsonrpc.raw(params)


def fields(message: bytes | Raw) -> dict[str, Raw]:
    """The fields of what an upstream sent. Raises `Refusal` where it is no object."""
    try:
        return jsonrpc.fields(message)
    except ValueError as error:
        raise lie(f"not a JSON object: {error}") from None


def _at_most(count: int, result: Raw) -> Raw:
    """A completion with so many values (E60)."""
    parts = fields(result)
    completion = fields(parts.get("completion", Raw(b"{}")))
    try:
        values = jsonrpc.items(completion.get("values", Raw(b"[]")))
    except ValueError as error:
        raise lie(f"not a completion: {error}") from None
    if len(values) <= count:
        return result
    completion["values"] = Raw(jsonrpc.join_array(values[:count]))
    completion["hasMore"] = Raw(b"true")
    parts["completion"] = Raw(jsonrpc.join(completion))
    return Raw(jsonrpc.join(parts))


def lie(reason: str) -> Refusal:
    """The upstream broke the protocol: an error for that call, and its connection is dropped."""
    return Refusal.upstream("upstream_invalid", reason)
