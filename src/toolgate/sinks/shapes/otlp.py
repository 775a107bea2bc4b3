"""OTLP in its JSON form: each call as a server span and, where an upstream was asked, a client span.

Names follow the MCP semantic conventions of OpenTelemetry (status: development). The ids of the spans are
made of the record's own: the same record always becomes the same spans, so what is sent twice is stored once.
"""

from typing import Any

import msgspec

from toolgate.model import Outcome, Record
from toolgate.ports import Recorded, Shape
from toolgate.protocol.tracing import Trace, sampled
from toolgate.sinks.shapes.finished import finished, microseconds

_SERVER, _CLIENT = 2, 3
_ERROR = 2
_MODERN = "2026-07-28"
_encode = msgspec.json.Encoder().encode

Attributes = list[dict[str, Any]]


def spans(share: float) -> Shape:
    """The shape for traces. Of calls that come without a sampling decision, `share` of 0 to 1 is kept."""

    def shape(recorded: Recorded) -> bytes | None:
        record = finished(recorded)
        if record is None or record.event == "gateway":
            return None
        trace = Trace.of(record.id, record.trace)
        if not sampled(trace, share):
            return None
        made = [_server_span(record, trace)]
        if record.upstream_us is not None:
            made.append(_client_span(record, trace))
        return b",".join(_encode(span) for span in made)

    return shape


def _server_span(record: Record, trace: Trace) -> dict[str, Any]:
    start = microseconds(record) * 1000
    error = record.code is not None and (record.code == -32603 or -32099 <= record.code <= -32000)
    attributes = [
        *_attributes(record),
        *_pairs(
            ("client.address", record.client_ip),
            ("toolgate.record.id", record.id),
            ("toolgate.principal", record.principal),
            ("toolgate.agent", record.agent),
            ("toolgate.tenant", record.tenant),
            ("toolgate.task.id", record.task),
            ("toolgate.decision", record.decision),
            ("toolgate.rule", record.rule),
            ("toolgate.policy.version", record.policy),
            ("toolgate.config.version", record.config),
            ("toolgate.outcome", record.outcome),
            ("toolgate.arguments.digest", record.arguments_digest),
        ),
    ]
    span = _span(record, trace.id, trace.server_span, _SERVER, start, record.total_us or 0, attributes, error)
    if trace.parent:
        span["parentSpanId"] = trace.parent
    return span


def _client_span(record: Record, trace: Trace) -> dict[str, Any]:
    assert record.upstream_us is not None
    # The record says how long the upstream took; that it came last is how a call goes.
    start = (microseconds(record) + max(0, (record.total_us or 0) - record.upstream_us)) * 1000
    attributes = [*_attributes(record), *_pairs(("server.address", record.server))]
    error = record.code is not None or record.outcome in (Outcome.TOOL_ERROR, Outcome.CUT)
    span = _span(record, trace.id, trace.client_span, _CLIENT, start, record.upstream_us, attributes, error)
    span["parentSpanId"] = trace.server_span
    return span


def _span(
    record: Record,
    trace: str,
    span: str,
    kind: int,
    start: int,
    micros: int,
    attributes: Attributes,
    error: bool,
) -> dict[str, Any]:
    target = record.target if record.kind in ("tool", "prompt") else None
    return {
        "traceId": trace,
        "spanId": span,
        "name": f"{record.method} {target}" if target else record.method,
        "kind": kind,
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + micros * 1000),
        "attributes": attributes,
        "status": {"code": _ERROR} if error else {},
    }


def _attributes(record: Record) -> Attributes:
    tool = record.target if record.kind == "tool" else None
    return _pairs(
        ("mcp.method.name", record.method),
        ("gen_ai.operation.name", "execute_tool" if tool else None),
        ("gen_ai.tool.name", tool),
        ("gen_ai.prompt.name", record.target if record.kind == "prompt" else None),
        ("mcp.protocol.version", record.revision),
        # The stateless revision has no sessions, and the convention forbids the attribute there.
        ("mcp.session.id", record.session if record.revision < _MODERN else None),
        ("error.type", _error_type(record)),
        ("rpc.response.status_code", None if record.code is None else str(record.code)),
        ("mcp.server.name", record.server),
    )


def _error_type(record: Record) -> str | None:
    if record.outcome == Outcome.TOOL_ERROR:
        return "tool_error"
    if record.code is not None:
        return str(record.code)
    return record.outcome if record.outcome in (Outcome.CUT, Outcome.CANCELLED) else None


def _pairs(*pairs: tuple[str, str | None]) -> Attributes:
    return [{"key": key, "value": {"stringValue": value}} for key, value in pairs if value]
