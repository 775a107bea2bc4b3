"""The keyed digest of arguments: the same arguments can be recognised, and without the key not guessed.

Canonical means JSON with sorted keys as msgspec writes it. It is not RFC 8785 (numbers are not normalised).
"""

import re
import secrets
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from toolgate.errors import ConfigError, Problem
from toolgate.ledger import keyfile
from toolgate.ledger.segments import KEY

_KEY = re.compile(r"[0-9a-f]{64}")


class Digest:
    """Digests under one key. Without it, arguments of few possible values cannot be found by trying."""

    def __init__(self, key: bytes) -> None:
        # HMAC (RFC 2104) from two prepared states: a third of the time of `hmac.digest`, which looks its
        # algorithm up on every call. A key is never longer than a block here.
        padded = key.ljust(64, b"\0")
        self._inner = sha256(bytes(byte ^ 0x36 for byte in padded))
        self._outer = sha256(bytes(byte ^ 0x5C for byte in padded))
        self._encode = msgspec.json.Encoder(order="deterministic").encode

    def of(self, arguments: Any) -> str:
        """`hmac-sha256:` and 64 hex digits. Raises `ValueError` for what is no JSON."""
        try:
            data = self._encode(arguments)
        except (TypeError, RecursionError, msgspec.MsgspecError) as problem:
            raise ValueError(f"the arguments are no JSON: {problem}") from problem
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(data)
        outer.update(inner.digest())
        return "hmac-sha256:" + outer.hexdigest()


def load_key(folder: Path) -> bytes:
    """The key kept in the ledger's folder; made (0600) where there is none. The folder must be claimed.

    Raises `ConfigError` where the file is no key or cannot be read: a new one would compare with nothing.
    """
    path = folder / KEY
    try:
        text = keyfile.load(path, partial(secrets.token_hex, 32))
    except OSError as problem:
        raise _unusable(path, f"The key cannot be read or made: {problem.strerror}.") from problem
    if _KEY.fullmatch(text) is None:
        raise _unusable(path, "This is no key: 64 hex digits are expected.")
    return bytes.fromhex(text)


def _unusable(path: Path, text: str) -> ConfigError:
    remedy = "Restore it from a backup; without it, new digests cannot be compared with old ones."
    return ConfigError([Problem(text, file=str(path), key="ledger.path", remedy=remedy)])
