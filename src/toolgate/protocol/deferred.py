"""Tool calls that are answered later: tasks of 2025-11-25 and of the extension of 2026-07-28. No I/O.

"Task" is what MCP calls them; in this project that word means what a caller works on. The id that a client gets
names server and tool as well, and is sealed for one principal: nobody else's id opens anything (E73).

https://modelcontextprotocol.io/specification/2025-11-25/basic/utilities/tasks
"""

from collections.abc import Callable

import msgspec
from msgspec import Raw, Struct

from toolgate.errors import MISSING_CAPABILITY, Refusal
from toolgate.model import Call, Principal
from toolgate.protocol import bridge, jsonrpc, modern
from toolgate.protocol.seal import KeyRing

PURPOSE = "mcp-task"
LONGEST_SECONDS = 30 * 24 * 3600.0
"""How long an id is good for where the server gives no time, or more."""

_RELATED = "io.modelcontextprotocol/related-task"


class Deferred(Struct, frozen=True, array_like=True):
    """A call that a server answers later."""

    server: str
    tool: str
    id: str
    """The server's own."""


_encode = msgspec.msgpack.encode
_decode = msgspec.msgpack.Decoder(Deferred).decode

Seal = Callable[[str, float | None], str]
"""From the server's own id, and the milliseconds it is kept, to the id for the client."""


class DeferredCalls:
    """Seals and opens the ids."""

    def __init__(self, keys: KeyRing, clock: Callable[[], float]) -> None:
        self._keys = keys
        self._clock = clock

    def sealer(self, principal: Principal, server: str, tool: str) -> Seal:
        """For the ids that this tool gives to this principal."""

        def seal(own: str, milliseconds: float | None) -> str:
            seconds = LONGEST_SECONDS if milliseconds is None else min(milliseconds / 1000, LONGEST_SECONDS)
            payload = _encode(Deferred(server, tool, own))
            try:
                return self._keys.seal(
                    payload, purpose=PURPOSE, bound_to=principal.id, expires=self._clock() + seconds
                )
            except ValueError:
                raise bridge.lie("the id of a task is too long") from None

        return seal

    def open(self, text: str, principal: Principal) -> Deferred:
        """The call of an id. Raises `Refusal` (-32602), the same for a foreign, expired or invented one."""
        payload = self._keys.open(text, purpose=PURPOSE, bound_to=principal.id, now=self._clock())
        if payload is None:
            raise unknown()
        return _decode(payload)


def unknown() -> Refusal:
    """The one answer for what does not exist and what this caller may not know of."""
    return Refusal.unknown("Unknown task.", reason="the id opens nothing for this principal")


def undeclared() -> Refusal:
    """A stateless client uses what it did not declare."""
    refusal = Refusal.invalid("Tasks need the tasks extension.", code=MISSING_CAPABILITY)
    refusal.data = {"requiredCapabilities": {"extensions": {modern.TASKS: {}}}}
    return refusal


def may_be(call: Call) -> bool:
    """Whether this tool call may be answered later: its client asks for that, or declares that it can wait."""
    return "task" in call.params if call.session is not None else modern.declares(call.params, modern.TASKS)


def created(message: bytes, seal: Seal) -> bytes:
    """A server's message with the id for the client, where it is the answer that another comes later.

    Raises `Refusal` for an id that is none.
    """
    parts = bridge.fields(message)
    if "result" in parts:
        parts["result"] = _created(parts["result"], seal)
    return jsonrpc.join(parts)


def _created(result: Raw, seal: Seal) -> Raw:
    parts = bridge.fields(result)
    if jsonrpc.text(parts.get("resultType")) == "task":
        _seal(parts, "ttlMs", seal)
    elif "task" in parts:
        task = bridge.fields(parts["task"])
        _seal(task, "ttl", seal)
        parts["task"] = Raw(jsonrpc.join(task))
    else:
        return result
    return Raw(jsonrpc.join(parts))


def _seal(task: dict[str, Raw], lifetime: str, seal: Seal) -> None:
    own = jsonrpc.text(task.get("taskId"))
    if own is None:
        raise bridge.lie("a task without an id")
    milliseconds = jsonrpc.value(task.get(lifetime, Raw(b"null")))
    task["taskId"] = jsonrpc.raw(seal(own, milliseconds if isinstance(milliseconds, int | float) else None))


def renamed(message: bytes, own: str, shown: str) -> bytes:
    """A server's message about one task, with the id that the client knows."""
    parts = bridge.fields(message)
    field = "result" if "result" in parts else "params"
    if field not in parts:
        return message
    about = bridge.fields(parts[field])
    if jsonrpc.text(about.get("taskId")) == own:
        about["taskId"] = jsonrpc.raw(shown)
    if "_meta" in about:
        meta = bridge.fields(about["_meta"])
        if _RELATED in meta:
            meta[_RELATED] = jsonrpc.raw({"taskId": shown})
            about["_meta"] = Raw(jsonrpc.join(meta))
    parts[field] = Raw(jsonrpc.join(about))
    return jsonrpc.join(parts)
