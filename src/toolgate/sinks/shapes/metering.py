"""Metering events with STOA's field names (its `ToolCallEvent`): one a finished tool call."""

from typing import Any

import msgspec

from toolgate.errors import INVALID_PARAMS, METHOD_NOT_FOUND
from toolgate.ledger.usage import BYTES_A_TOKEN
from toolgate.model import Effect, Outcome, Record
from toolgate.ports import Recorded
from toolgate.sinks.shapes.finished import finished

_UNKNOWN = frozenset({METHOD_NOT_FOUND, INVALID_PARAMS})
_STATUS = {Outcome.OK: "success", Outcome.TOOL_ERROR: "error", Outcome.ERROR: "error", Outcome.BUG: "error"}
_encode = msgspec.json.Encoder().encode


def shape(recorded: Recorded) -> bytes | None:
    """See `ports.Shape`."""
    record = finished(recorded)
    if record is None or record.method != "tools/call":
        return None
    upstream, total = record.upstream_us or 0, record.total_us or 0
    event: dict[str, Any] = {
        "event_id": record.id,
        "timestamp": record.ts,
        "tenant_id": record.tenant or "default",
        "user_id": record.user,
        "consumer_id": record.agent,
        "tool_name": "/".join(part for part in (record.server, record.target) if part),
        "action": "execute",
        "latency_ms": total // 1000,
        "status": _status(record),
        "request_size_bytes": record.request_bytes or 0,
        "response_size_bytes": record.response_bytes or 0,
        "t_gateway_ms": max(0, total - upstream) // 1000,
        "t_backend_ms": upstream // 1000,
        "gateway_id": "toolgate",
        "token_count": ((record.request_bytes or 0) + (record.response_bytes or 0)) // BYTES_A_TOKEN,
    }
    return _encode({key: value for key, value in event.items() if value is not None})


def _status(record: Record) -> str:
    if record.outcome == Outcome.REFUSED:
        if record.decision in (Effect.DENY, Effect.APPROVE):
            return "policy_denied"
        return "not_found" if record.code in _UNKNOWN else "error"
    return _STATUS.get(record.outcome or "", "error")  # type: ignore[call-overload,no-any-return]
