"""OCSF 1.9: API Activity for calls, Entity Management for the gateway's own acts.

Profiles: `ai_operation` (the agent), `security_control` (the decision), `record_integrity` (the place in the
chain). What OCSF has no word for stands in `unmapped`.
"""

from typing import Any

import msgspec

from toolgate import __version__
from toolgate.model import Effect, Outcome, Record
from toolgate.ports import Recorded
from toolgate.sinks.shapes.finished import finished, milliseconds

VERSION = "1.9.0-dev"
_API_ACTIVITY, _ENTITY_MANAGEMENT = 6003, 3004
_READ, _OTHER_ACTIVITY = 2, 99
_SUCCESS, _FAILURE, _OTHER = 1, 2, 99
_INFORMATIONAL, _LOW, _MEDIUM = 1, 2, 3
_ALLOWED, _DENIED = 1, 2
_DISPOSED_ALLOWED, _DISPOSED_BLOCKED = 1, 2
_SHA_256, _HEX, _FLAT = 3, 1, 1
_ROLE_TOOL = 3
_PRODUCT = {"name": "Toolgate", "vendor_name": "Toolgate", "version": __version__}

_STATUS = {
    Outcome.OK: _SUCCESS,
    Outcome.TOOL_ERROR: _FAILURE,
    Outcome.ERROR: _FAILURE,
    Outcome.REFUSED: _FAILURE,
    Outcome.BUG: _FAILURE,
}
_SEVERITY = {Outcome.REFUSED: _LOW, Outcome.BUG: _MEDIUM}
_encode = msgspec.json.Encoder().encode


def shape(recorded: Recorded) -> bytes | None:
    """See `ports.Shape`."""
    record = finished(recorded)
    if record is None:
        return None
    event = _act(record) if record.event == "gateway" else _call(record)
    return _encode(_without_none({**_base(record, recorded, event["class_uid"]), **event}))


def _base(record: Record, recorded: Recorded, class_uid: int) -> dict[str, Any]:
    profiles = ["record_integrity"]
    if class_uid == _API_ACTIVITY:
        profiles = ["ai_operation", "security_control", *profiles]
    return {
        "time": milliseconds(record),
        "duration": None if record.total_us is None else record.total_us // 1000,
        "metadata": {
            "version": VERSION,
            "product": _PRODUCT,
            "uid": record.id,
            "sequence": recorded.seq,
            "profiles": profiles,
            "tenant_uid": record.tenant,
            "log_name": "ledger",
            "original_time": record.ts,
        },
        "attestation_list": [
            {
                "fingerprint": _fingerprint(recorded.hash),
                "prev_event": {"uid": str(recorded.seq - 1), "fingerprint": _fingerprint(recorded.prev)},
            }
        ],
    }


def _call(record: Record) -> dict[str, Any]:
    outcome = record.outcome or ""
    reads = record.method.endswith(("/list", "/read", "/get")) or record.method == "server/discover"
    activity = _READ if reads else _OTHER_ACTIVITY
    return {
        "class_uid": _API_ACTIVITY,
        "class_name": "API Activity",
        "category_uid": 6,
        "category_name": "Application Activity",
        "activity_id": activity,
        "activity_name": "Read" if reads else record.method,
        "type_uid": _API_ACTIVITY * 100 + activity,
        "severity_id": _SEVERITY.get(outcome, _INFORMATIONAL),  # type: ignore[call-overload]
        "status_id": _STATUS.get(outcome, _OTHER),  # type: ignore[call-overload]
        "status": outcome,
        "status_code": None if record.code is None else str(record.code),
        "status_detail": record.detail or record.reason,
        "message": f"{record.method} {record.server or ''}/{record.target or ''}".rstrip("/ "),
        "actor": _actor(record),
        "src_endpoint": {"ip": record.client_ip} if record.client_ip else {"name": "local"},
        "api": {
            "operation": record.method,
            "version": record.revision or None,
            "service": {"name": record.server} if record.server else None,
            "request": {"uid": record.id},
            "response": {"code": record.code} if record.code is not None else None,
        },
        "resources": _resources(record),
        "ai_agent": {"uid": record.agent, "name": record.agent} if record.agent else None,
        "message_context": {
            "ai_role_id": _ROLE_TOOL,
            "application": {"name": record.server},
        }
        if record.kind == "tool"
        else None,
        **_control(record),
        "unmapped": _rest(record),
    }


def _control(record: Record) -> dict[str, Any]:
    if record.decision is None:
        return {}
    allowed = record.decision == Effect.ALLOW
    policy = {
        "uid": record.rule or "default",
        "name": record.rule or "default",
        "version": record.policy,
        "is_applied": True,
        "desc": record.reason,
    }
    return {
        "action_id": _ALLOWED if allowed else _DENIED,
        "action": "Allowed" if allowed else "Denied",
        "disposition_id": _DISPOSED_ALLOWED if allowed else _DISPOSED_BLOCKED,
        "disposition": "Allowed" if allowed else "Blocked",
        "policy": policy,
        "authorizations": [{"decision": record.decision, "policy": policy}],
    }


def _act(record: Record) -> dict[str, Any]:
    return {
        "class_uid": _ENTITY_MANAGEMENT,
        "class_name": "Entity Management",
        "category_uid": 3,
        "category_name": "Identity & Access Management",
        "activity_id": _OTHER_ACTIVITY,
        "activity_name": record.method,
        "type_uid": _ENTITY_MANAGEMENT * 100 + _OTHER_ACTIVITY,
        "severity_id": _INFORMATIONAL,
        "status_id": _SUCCESS,
        "message": f"{record.method}: {record.detail}" if record.detail else record.method,
        "actor": {"app_name": "Toolgate"},
        "entity": {"name": "gateway", "type": "gateway", "version": record.config},
        "comment": record.detail,
        "unmapped": _without_none({"toolgate": {"arguments": record.arguments}}) or None,
    }


def _actor(record: Record) -> dict[str, Any]:
    user: dict[str, Any] | None = None
    if record.user or record.principal:
        user = {
            "name": record.user,
            "uid": record.principal or record.user,
            "type_id": 1 if record.user else 0,
        }
    session = {"uid": record.session} if record.session else None
    return {"user": user, "session": session, "app_name": record.agent or "unidentified"}


def _resources(record: Record) -> list[dict[str, Any]] | None:
    if record.target is None:
        return None
    return [
        {"name": record.target, "type": record.kind, "uid": f"{record.server}/{record.target}", "role_id": 1}
    ]


def _rest(record: Record) -> dict[str, Any]:
    names = (
        "auth",
        "task",
        "arguments_digest",
        "arguments",
        "condition_errors",
        "config",
        "upstream_us",
        "request_bytes",
        "response_bytes",
        "incident",
    )
    return {"toolgate": {name: value for name in names if (value := getattr(record, name)) not in (None, ())}}


def _fingerprint(value: str) -> dict[str, Any]:
    return {"algorithm_id": _SHA_256, "encoding_id": _HEX, "serialization_id": _FLAT, "value": value}


def _without_none(value: Any) -> Any:
    """OCSF knows no null: what is not known is left out, also what is empty then."""
    if isinstance(value, dict):
        kept = {key: _without_none(one) for key, one in value.items() if one is not None}
        return {key: one for key, one in kept.items() if one != {}}
    if isinstance(value, list):
        return [_without_none(one) for one in value]
    return value
