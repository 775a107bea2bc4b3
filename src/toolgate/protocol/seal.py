"""Sealed strings: what the gateway hands out and must recognise later. Knows keys, not what it seals."""

import os
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
MAX_TEXT = 4096
"""Characters of a sealed string, at most: what header limits of common proxies let through."""

_ID_BYTES = 4
_NONCE_BYTES = 12
_TAG_BYTES = 16
_HEAD_BYTES = _ID_BYTES + _NONCE_BYTES
_EXPIRES = struct.Struct(">d")

MAX_PAYLOAD = MAX_TEXT * 3 // 4 - _HEAD_BYTES - _EXPIRES.size - _TAG_BYTES
"""Bytes of a payload, at most."""


class KeyRing:
    """AES-256-GCM under raw keys: the first seals, all open, so that keys rotate without a lost string.

    Nonces are random (96 bits): replace the first key well before it has sealed 2^32 strings.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        """`keys` are random, 32 bytes each. Raises `ValueError` for none, a wrong size or one given twice."""
        if not keys:
            raise ValueError("a key ring needs a key")
        if any(len(key) != KEY_BYTES for key in keys):
            raise ValueError(f"every key of the ring has {KEY_BYTES} bytes")
        self._ciphers = {_key_id(key): AESGCM(key) for key in keys}
        if len(self._ciphers) != len(keys):
            raise ValueError("two keys of the ring share an id")
        self._first_id, self._first = next(iter(self._ciphers.items()))

    def seal(self, payload: bytes, *, purpose: str, bound_to: str, expires: float) -> str:
        """`payload` as visible ASCII that only `open` with the same `purpose` and `bound_to` reads.

        `expires` is in unix seconds. Raises `ValueError` for more than `MAX_PAYLOAD` bytes.
        """
        if len(payload) > MAX_PAYLOAD:
            raise ValueError(f"a sealed payload has at most {MAX_PAYLOAD} bytes")
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._first.encrypt(nonce, _EXPIRES.pack(expires) + payload, _context(purpose, bound_to))
        return _encode(self._first_id + nonce + sealed)

    def open(self, text: str, *, purpose: str, bound_to: str, now: float) -> bytes | None:
        """The payload, or None for every text that is of no use: foreign, changed, expired, anything else.

        The reasons are not told apart, so that nobody learns from the answer which one it was.
        """
        raw = _decode(text)
        cipher = self._ciphers.get(raw[:_ID_BYTES])
        if cipher is None or len(raw) < _HEAD_BYTES + _EXPIRES.size + _TAG_BYTES:
            return None
        try:
            plain = cipher.decrypt(raw[_ID_BYTES:_HEAD_BYTES], raw[_HEAD_BYTES:], _context(purpose, bound_to))
        except InvalidTag:
            return None
        (expires,) = _EXPIRES.unpack_from(plain)
        # Written this way round, an expiry that is not a number counts as past.
        return plain[_EXPIRES.size :] if now < expires else None


def _key_id(key: bytes) -> bytes:
    return sha256(b"toolgate seal key id\x00" + key).digest()[:_ID_BYTES]


def _context(purpose: str, bound_to: str) -> bytes:
    # The length keeps ("ab", "c") and ("a", "bc") apart.
    what = purpose.encode()
    return len(what).to_bytes(4, "big") + what + bound_to.encode()


def _encode(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _decode(text: str) -> bytes:
    """The bytes that `_encode` makes `text` of; empty where there are none."""
    if len(text) > MAX_TEXT:
        return b""
    try:
        raw = urlsafe_b64decode(text + "==")
    except ValueError:
        return b""
    # Python's decoder skips strange characters and spare bits: one sealed string must have one spelling.
    return raw if _encode(raw) == text else b""
