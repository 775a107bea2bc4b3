"""Whose message is this? Reads what a server wrote just far enough to tell. No I/O; results stay bytes."""

import json
from enum import StrEnum
from typing import NoReturn

import msgspec
from msgspec import Raw, Struct


class Sort(StrEnum):
    """What a message is for."""

    REQUEST = "request"
    NOTIFICATION = "notification"
    RESPONSE = "response"
    BROKEN = "broken"
    """It names a call but answers nothing a client could read."""


class Envelope(Struct, frozen=True):
    """One message of a server."""

    sort: Sort
    id: bytes
    """The JSON text of the id; empty for notifications."""
    method: str
    params: Raw
    result: Raw
    error: Raw


class _Wire(Struct):
    id: Raw = Raw()
    method: str = ""
    params: Raw = Raw()
    result: Raw = Raw()
    error: Raw = Raw()


class _Progress(Struct):
    progressToken: Raw  # noqa: N815 - the field's name on the wire
    progress: float


class _Cancelled(Struct):
    requestId: Raw  # noqa: N815 - the field's name on the wire


_RAW_FIELDS = ("id", "params", "result", "error")

_wire = msgspec.json.Decoder(_Wire)
_progress = msgspec.json.Decoder(_Progress)
_cancelled = msgspec.json.Decoder(_Cancelled)


def read(line: bytes) -> Envelope | None:
    """The message of a line, None for what is no JSON-RPC message."""
    try:
        wire = _wire.decode(line)
    except RecursionError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError):
        found = _wire_of_odd_text(line)
        if found is None:
            return None
        wire = found
    sort = _sort(wire, line)
    if sort is None:
        return None
    return Envelope(sort, _id(wire), wire.method, wire.params, wire.result, wire.error)


def _id(wire: _Wire) -> bytes:
    text = bytes(wire.id)
    return b"" if text == b"null" else text


def _sort(wire: _Wire, line: bytes) -> Sort | None:
    has_id = bool(_id(wire))
    if not _is_utf8(line):
        return Sort.BROKEN if has_id and not wire.method else None
    if wire.method:
        return Sort.REQUEST if has_id else Sort.NOTIFICATION
    if not has_id:
        return None
    answers = _present(wire.result) != _present(wire.error)
    return Sort.RESPONSE if answers else Sort.BROKEN


def _present(field: Raw) -> bool:
    return len(memoryview(field)) > 0


def _is_utf8(line: bytes) -> bool:
    # Raw is scanned for structure only, so msgspec lets other encodings pass.
    if line.isascii():
        return True
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _wire_of_odd_text(line: bytes) -> _Wire | None:
    # Servers emit lone surrogates when they cut a text; msgspec refuses them, also under Raw.
    if not line.lstrip().startswith(b"{"):
        return None
    try:
        value = json.loads(line.decode(), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None
    method = value.get("method", "")
    if not isinstance(method, str):
        return None
    parts = {key: Raw(json.dumps(value[key]).encode()) for key in _RAW_FIELDS if key in value}
    return _Wire(method=method, **parts)


def _no_constant(text: str) -> NoReturn:
    raise ValueError(text)  # NaN and Infinity are no JSON (E09)


def progress(params: Raw) -> tuple[bytes, float] | None:
    """Token (its JSON text) and value of `notifications/progress`; None where they cannot be read."""
    try:
        found = _progress.decode(params)
    except (msgspec.DecodeError, RecursionError):
        return None
    return bytes(found.progressToken), found.progress


def cancelled(params: Raw) -> bytes | None:
    """The id (its JSON text) that `notifications/cancelled` names; None where it cannot be read."""
    try:
        return bytes(_cancelled.decode(params).requestId)
    except (msgspec.DecodeError, RecursionError):
        return None
