"""Elastic Common Schema 9: one document a finished call or act. What ECS has no field for stands under `mcp`."""

from typing import Any

import msgspec

from toolgate import __version__
from toolgate.model import Effect, Outcome, Record
from toolgate.ports import Recorded
from toolgate.sinks.shapes.finished import finished

_SUCCESS = frozenset({Outcome.OK})
_FAILURE = frozenset({Outcome.TOOL_ERROR, Outcome.ERROR, Outcome.REFUSED, Outcome.BUG})
_encode = msgspec.json.Encoder().encode


def shape(recorded: Recorded) -> bytes | None:
    """See `ports.Shape`."""
    record = finished(recorded)
    if record is None:
        return None
    return _encode(_known({**_who(record), **_what(record, recorded)}))


def _what(record: Record, recorded: Recorded) -> dict[str, Any]:
    own = record.event == "gateway"
    tool = record.target if record.kind == "tool" else None
    return {
        "@timestamp": record.ts,
        "ecs": {"version": "9.0.0"},
        "message": record.detail
        or f"{record.method} {record.server or ''}/{record.target or ''}".rstrip("/ "),
        "event": {
            "id": record.id,
            "sequence": recorded.seq,
            "hash": recorded.hash,
            "kind": "event",
            "category": ["configuration"] if own else ["api"],
            "type": ["change"] if own else ["denied"] if _denied(record) else ["access"],
            "action": record.method,
            "outcome": _outcome(record.outcome),
            "reason": record.reason,
            "duration": None if record.total_us is None else record.total_us * 1000,
            "dataset": "toolgate.ledger",
            "provider": "toolgate",
        },
        "observer": {"vendor": "Toolgate", "product": "Toolgate", "type": "gateway", "version": __version__},
        "rule": {"id": record.rule, "version": record.policy},
        "error": {"code": None if record.code is None else str(record.code), "id": record.incident},
        "gen_ai": {
            "agent": {"id": record.agent, "name": record.agent},
            "operation": {"name": "execute_tool" if tool else None},
            "tool": {"name": tool},
        },
        "mcp": _mcp(record),
    }


def _who(record: Record) -> dict[str, Any]:
    return {
        "source": {"ip": record.client_ip or None},
        "user": {"id": record.principal, "name": record.user},
        "related": {
            "user": [one for one in (record.user, record.principal) if one] or None,
            "ip": [record.client_ip] if record.client_ip else None,
        },
        "organization": {"id": record.tenant},
    }


def _mcp(record: Record) -> dict[str, Any]:
    return {
        "method": {"name": record.method},
        "protocol": {"version": record.revision or None},
        "session": {"id": record.session},
        "server": {"name": record.server},
        "target": {"kind": record.kind, "name": record.target},
        "task": {"id": record.task},
        "decision": record.decision,
        "outcome": record.outcome,
        "config": {"version": record.config},
        "arguments": {"digest": record.arguments_digest},
        "upstream": {"duration": None if record.upstream_us is None else record.upstream_us * 1000},
        "request": {"bytes": record.request_bytes},
        "response": {"bytes": record.response_bytes},
    }


def _denied(record: Record) -> bool:
    return record.outcome == Outcome.REFUSED or record.decision in (Effect.DENY, Effect.APPROVE)


def _outcome(outcome: str | None) -> str:
    if outcome in _SUCCESS:
        return "success"
    return "failure" if outcome in _FAILURE else "unknown"


def _known(value: Any) -> Any:
    """Without what is not known, and without what is empty then."""
    if not isinstance(value, dict):
        return value
    kept = {key: _known(one) for key, one in value.items() if one is not None}
    return {key: one for key, one in kept.items() if one != {}}
