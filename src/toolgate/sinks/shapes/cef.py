"""ArcSight Common Event Format, revision 0: one line an event."""

from toolgate import __version__
from toolgate.model import Outcome, Record
from toolgate.ports import Recorded
from toolgate.sinks.shapes.finished import finished, milliseconds

_SEVERITY = {Outcome.REFUSED: 5, Outcome.BUG: 8, Outcome.ERROR: 4, Outcome.TOOL_ERROR: 4, Outcome.CUT: 4}
_MAX_VALUE = 1023
"""Characters of the longest text value: what the format allows a custom string."""


def shape(recorded: Recorded) -> bytes | None:
    """See `ports.Shape`."""
    record = finished(recorded)
    if record is None:
        return None
    severity = _SEVERITY.get(record.outcome or "", 3)  # type: ignore[call-overload]
    header = "|".join(
        _header(text)
        for text in (
            "Toolgate",
            "Toolgate",
            __version__,
            f"{record.event}:{record.method}",
            f"{record.method} {record.outcome or ''}".rstrip(),
            str(severity),
        )
    )
    pairs = " ".join(f"{key}={_value(value)}" for key, value in _extension(record, recorded) if value)
    return f"CEF:0|{header}|{pairs}".encode()


def _extension(record: Record, recorded: Recorded) -> list[tuple[str, str | None]]:
    target = "/".join(part for part in (record.server, record.target) if part)
    return [
        ("rt", str(milliseconds(record))),
        ("externalId", record.id),
        ("suser", record.user),
        ("suid", record.principal),
        ("src", record.client_ip),
        ("dhost", record.server),
        ("requestMethod", record.method),
        ("request", target),
        ("act", record.decision),
        ("outcome", record.outcome),
        ("reason", record.reason or record.detail),
        ("in", _number(record.request_bytes)),
        ("out", _number(record.response_bytes)),
        *_labelled("cs1", "policyVersion", record.policy),
        *_labelled("cs2", "agent", record.agent),
        *_labelled("cs3", "task", record.task),
        *_labelled("cs4", "rule", record.rule),
        *_labelled("cs5", "tenant", record.tenant),
        *_labelled("cs6", "recordHash", recorded.hash),
        *_labelled("cn1", "sequence", str(recorded.seq)),
        *_labelled("cn2", "durationMicroseconds", _number(record.total_us)),
    ]


def _labelled(key: str, label: str, value: str | None) -> list[tuple[str, str | None]]:
    return [(key, value), (f"{key}Label", label)] if value else []


def _number(value: int | None) -> str | None:
    return None if value is None else str(value)


def _header(text: str) -> str:
    return _one_line(text).replace("\\", "\\\\").replace("|", "\\|")


def _value(text: str) -> str:
    escaped = text[:_MAX_VALUE].replace("\\", "\\\\").replace("=", "\\=")
    return escaped.replace("\r", "\\r").replace("\n", "\\n")


def _one_line(text: str) -> str:
    return " ".join(text.split())
