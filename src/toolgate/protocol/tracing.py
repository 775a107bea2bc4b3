"""W3C Trace Context as a call carries it on. Pure: ids come from the record's, nothing is drawn or kept."""

import re
from collections.abc import Mapping
from typing import Any

from msgspec import Raw, Struct

from toolgate.protocol import jsonrpc

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SAMPLED = 1
_LENGTH = 55
"""Characters of all that is known of a `traceparent`; later versions may add some."""
_MAX_STATE = 512
"""Characters of a `tracestate` that is passed on; the specification asks for that many."""
_LARGEST = 1 << 56


class Trace(Struct, frozen=True):
    """One call in its trace."""

    id: str
    """32 hex digits."""
    server_span: str
    """16 hex digits: the call as the gateway took it."""
    client_span: str
    """16 hex digits: the call as the gateway passed it on."""
    parent: str | None
    """The caller's span."""
    sampled: bool | None
    """What the caller decided; None where it said nothing."""

    @classmethod
    def of(cls, record_id: str, traceparent: str | None) -> "Trace":
        """The trace of a record (a UUIDv7), continuing the caller's where that is a valid one."""
        own = record_id.replace("-", "")
        server = own[16:]
        # A UUID's last half starts with the bits 10; with 01 it is nobody else's, and never zero.
        client = f"{int(server, 16) ^ (3 << 62):016x}"
        found = read(traceparent)
        if found is None:
            return cls(own, server, client, None, None)
        return cls(found[0], server, client, found[1], bool(found[2] & _SAMPLED))

    def onward(self, share: float, *, one_server: bool) -> str:
        """The `traceparent` for the next hop: below our client span where `one_server` is asked, which has one."""
        span = self.client_span if one_server else self.server_span
        return f"00-{self.id}-{span}-{'01' if sampled(self, share) else '00'}"


def incoming(params: Mapping[str, Any], header: str | None) -> str | None:
    """The valid `traceparent` of a call: that of `_meta` (SEP-414), else the header's."""
    meta = params.get("_meta")
    own = meta.get("traceparent") if isinstance(meta, Mapping) else None
    for one in (own, header):
        if isinstance(one, str) and read(one) is not None:
            return one[:_LENGTH]
    return None


def carried(message: bytes, onward: str, tracestate: str | None) -> bytes:
    """The request with its trace context in `params._meta`. A `tracestate` there already stays as it is."""
    parts = jsonrpc.fields(message)
    params = jsonrpc.fields(parts["params"]) if "params" in parts else {}
    meta = jsonrpc.fields(params["_meta"]) if "_meta" in params else {}
    meta["traceparent"] = jsonrpc.raw(onward)
    if tracestate and len(tracestate) <= _MAX_STATE:
        meta.setdefault("tracestate", jsonrpc.raw(tracestate))
    params["_meta"] = Raw(jsonrpc.join(meta))
    parts["params"] = Raw(jsonrpc.join(params))
    return jsonrpc.join(parts)


def read(traceparent: str | None) -> tuple[str, str, int] | None:
    """Trace, span and flags of a `traceparent`; None for what the specification says to ignore."""
    match = _TRACEPARENT.fullmatch(traceparent) if traceparent else None
    if match is None or match[1] == "ff" or (match[1] == "00" and match[5]):
        return None
    if not match[2].strip("0") or not match[3].strip("0"):
        return None
    return match[2], match[3], int(match[4], 16)


def sampled(trace: Trace, share: float) -> bool:
    """Whether this trace is kept: the caller's decision, else the same one for everybody who sees its id."""
    if trace.sampled is not None:
        return trace.sampled
    return int(trace.id[18:], 16) < share * _LARGEST


def headers(onward: str, tracestate: str | None) -> tuple[tuple[bytes, bytes], ...]:
    """The same context as HTTP headers, for what stands between us and the server."""
    found: tuple[tuple[bytes, bytes], ...] = ((b"traceparent", onward.encode()),)
    if tracestate and len(tracestate) <= _MAX_STATE:
        found += ((b"tracestate", tracestate.encode("latin-1")),)
    return found
