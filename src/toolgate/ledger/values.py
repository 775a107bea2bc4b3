"""What a record keeps of a call's arguments: nothing, a digest, their shape, or all of it, open or sealed.

Sealed, the arguments of one person can be made unreadable for good by destroying a key, while the record that
holds them, and the chain over it, stay as they are.
"""

import base64
import os
from collections.abc import Callable, Collection
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from toolgate.errors import UPSTREAM_UNAVAILABLE, Refusal
from toolgate.ledger.subjects import Subjects
from toolgate.model import Record

Describe = Callable[[Record, Any], None]
"""Puts arguments into a record."""

Disguise = Callable[[Record], None]
"""Puts a pseudonym in the place of the person."""

MAX_TEXT = 64
"""Characters of a name that is kept in a shape; names are chosen by callers."""
_DEPTH = 16
_NONCE = 12


def nothing(record: Record, arguments: Any) -> None:
    """That there were some can be told from the size of the request."""


def full(record: Record, arguments: Any) -> None:
    """As they are."""
    record.arguments = arguments


def digest(of: Callable[[Any], str]) -> Describe:
    """Their keyed digest."""

    def describe(record: Record, arguments: Any) -> None:
        record.arguments_digest = of(arguments)

    return describe


def redacted(of: Callable[[Any], str], reveal: Collection[str]) -> Describe:
    """Names and kinds, and the values of the names in `reveal`; beside them the keyed digest."""
    shown = frozenset(reveal)

    def describe(record: Record, arguments: Any) -> None:
        record.arguments_digest = of(arguments)
        record.arguments = _shape(arguments, shown, _DEPTH)

    return describe


class Sealing:
    """Who the person is, and the arguments, encrypted under a key of that person. In clear stands a pseudonym."""

    def __init__(self, of: Callable[[Any], str], subjects: Subjects) -> None:
        self._digest = of
        self._subjects = subjects
        self._encode = msgspec.json.Encoder(order="deterministic").encode

    def who(self, record: Record) -> None:
        """Put a pseudonym in the place of the person. Raises `Refusal` where no key can be had."""
        name = self._subjects.name_of(record.user or record.principal or "")
        known = {"user": record.user, "principal": record.principal, "client_ip": record.client_ip}
        record.sealed_who = self._seal(name, record, known)
        record.principal = f"~{name}"
        record.user = record.user and record.principal
        record.client_ip = ""

    def describe(self, record: Record, arguments: Any) -> None:
        """See `Describe`. The arguments' digest stands beside them."""
        record.arguments_digest = self._digest(arguments)
        record.sealed = self._seal((record.principal or "~")[1:], record, arguments)

    def _seal(self, name: str, record: Record, value: Any) -> str:
        try:
            key = self._subjects.key_named(name)
        except OSError as problem:
            raise Refusal(
                "ledger",
                "ledger_unavailable",
                "This call could not be recorded, so it is not answered.",
                code=UPSTREAM_UNAVAILABLE,
                status=503,
                reason=f"no key to seal with: {problem.strerror}",
            ) from problem
        nonce = os.urandom(_NONCE)
        text = AESGCM(key.secret).encrypt(nonce, self._encode(value), record.id.encode())
        return f"{key.id}.{base64.b64encode(nonce + text).decode()}"


def unsealed(record: dict[str, Any], secret: Callable[[str], bytes | None]) -> dict[str, Any]:
    """The record as it was before it was sealed, as far as its keys are there.

    Raises `ValueError` for a text that is another record's.
    """
    opened = dict(record)
    if "sealed_who" in record and (who := _open(record, "sealed_who", secret)) is not None:
        opened.update({name: value for name, value in who.items() if value})
        del opened["sealed_who"]
    if "sealed" in record and (arguments := _open(record, "sealed", secret)) is not None:
        opened["arguments"] = arguments
        del opened["sealed"]
    return opened


def _open(record: dict[str, Any], field: str, secret: Callable[[str], bytes | None]) -> Any:
    key_id, _, text = record[field].partition(".")
    key = secret(key_id)
    if key is None:
        return None
    try:
        data = base64.b64decode(text, validate=True)
        return msgspec.json.decode(AESGCM(key).decrypt(data[:_NONCE], data[_NONCE:], record["id"].encode()))
    except (InvalidTag, ValueError) as problem:
        raise ValueError(f"'{field}' does not fit this record or its key") from problem


def _shape(value: Any, shown: frozenset[str], depth: int) -> Any:
    if depth == 0:
        return "..."
    if isinstance(value, dict):
        return {
            str(name)[:MAX_TEXT]: one if name in shown else _shape(one, shown, depth - 1)
            for name, one in value.items()
        }
    if isinstance(value, list | tuple):
        return [_shape(one, shown, depth - 1) for one in value]
    return _kind(value)


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, str):
        return f"string of {len(value)}"
    return "number" if isinstance(value, int | float) else type(value).__name__
