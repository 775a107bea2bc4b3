"""Signed notes and the checkpoints in them (C2SP signed-note and tlog-checkpoint), with Ed25519. No files.

A key's name is also the origin of the log it signs. Keys are written as Go's `sumdb/note` writes them:
`name+hash+base64` for verifying, `PRIVATE+KEY+name+hash+base64` for signing.
"""

import base64
import binascii
import re
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec import Struct

MAX_NOTE = 64 * 1024
"""Bytes of a note; witnesses may have put their signatures under it."""

_ED25519 = b"\1"
_PRIVATE = "PRIVATE+KEY+"
_NAME = re.compile(r"[^\s+]{1,200}")
_SIGNATURE = re.compile(r"\u2014 ([^\s+]+) ([A-Za-z0-9+/]+={0,2})")
_CHECKPOINT = re.compile(r"([^\n]+)\n(0|[1-9]\d{0,18})\n([A-Za-z0-9+/]{43}=)\n(?:[^\n]+\n)*")


class Checkpoint(Struct, frozen=True):
    """The tree a log had at one time."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


class Unsigned(ValueError):
    """A note that is no note, or has no valid signature of the key asked for. Its text is a plain sentence."""


class VerifierKey:
    """Whose signatures are believed."""

    def __init__(self, name: str, key: Ed25519PublicKey) -> None:
        """`name` has neither spaces nor plus signs."""
        self.name = name
        self._key = key
        self._raw = key.public_bytes_raw()
        self.id = _key_id(name, self._raw)

    @classmethod
    def parse(cls, text: str) -> "VerifierKey":
        """Reads `name+hash+base64`. Raises `ValueError`."""
        name, number, raw = _parts(text.strip())
        key = cls(name, Ed25519PublicKey.from_public_bytes(raw))
        if key.id != number:
            raise ValueError("the key's hash does not fit the key: part of it was lost or changed")
        return key

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(_ED25519 + self._raw).decode()}"

    def open(self, note: str) -> str:
        """The text of a note this key signed. Raises `Unsigned`."""
        text, signatures = _taken_apart(note)
        for name, signature in signatures:
            if name == self.name and signature[:4] == self.id:
                try:
                    self._key.verify(signature[4:], text.encode())
                except InvalidSignature:
                    raise Unsigned(f"the signature of {self.name} does not fit the text") from None
                return text
        raise Unsigned(f"it is not signed by {self}")

    def checkpoint(self, note: str) -> Checkpoint:
        """The checkpoint in a note this key signed. Raises `Unsigned`."""
        found = read_checkpoint(self.open(note))
        if found.origin != self.name:
            raise Unsigned(f"it is the checkpoint of another log, {found.origin!r}")
        return found


class SignerKey:
    """Signs as one log."""

    def __init__(self, name: str, key: Ed25519PrivateKey) -> None:
        self.verifier = VerifierKey(name, key.public_key())
        self._key = key

    @classmethod
    def new(cls, name: str) -> "SignerKey":
        """A fresh key. Raises `ValueError` for a name that no key can have."""
        if _NAME.fullmatch(name) is None:
            raise ValueError("a key's name has up to 200 characters, none of them a space or a plus sign")
        return cls(name, Ed25519PrivateKey.generate())

    @classmethod
    def parse(cls, text: str) -> "SignerKey":
        """Reads `PRIVATE+KEY+name+hash+base64`. Raises `ValueError`, without repeating any of it."""
        text = text.strip()
        if not text.startswith(_PRIVATE):
            raise ValueError("a signing key starts with PRIVATE+KEY+")
        name, number, raw = _parts(text.removeprefix(_PRIVATE))
        key = cls(name, Ed25519PrivateKey.from_private_bytes(raw))
        if key.verifier.id != number:
            raise ValueError("the key's hash does not fit the key: part of it was lost or changed")
        return key

    def secret(self) -> str:
        """The key as `parse` reads it."""
        raw = base64.b64encode(_ED25519 + self._key.private_bytes_raw()).decode()
        return f"{_PRIVATE}{self.verifier.name}+{self.verifier.id.hex()}+{raw}"

    def sign(self, text: str) -> str:
        """The note: `text`, which ends with a newline, and our signature."""
        signature = base64.b64encode(self.verifier.id + self._key.sign(text.encode())).decode()
        return f"{text}\n\u2014 {self.verifier.name} {signature}\n"


def unchecked(note: str) -> Checkpoint:
    """The checkpoint of a note whose signatures nobody looks at. Raises `Unsigned`."""
    return read_checkpoint(_taken_apart(note)[0])


def read_checkpoint(text: str) -> Checkpoint:
    """The checkpoint of a note's text. Raises `Unsigned`."""
    match = _CHECKPOINT.fullmatch(text)
    if match is None:
        raise Unsigned("it is no checkpoint: origin, size and root hash are expected")
    return Checkpoint(match[1], int(match[2]), base64.b64decode(match[3]))


def _taken_apart(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    text, gap, rest = note.rpartition("\n\n")
    if not gap or not rest.endswith("\n") or len(note) > MAX_NOTE:
        raise Unsigned("it is no signed note")
    signatures = []
    for line in rest[:-1].split("\n"):
        match = _SIGNATURE.fullmatch(line)
        if match is None:
            raise Unsigned("it is no signed note: one of its signatures has not the form of one")
        signatures.append((match[1], _decoded(match[2])))
    return f"{text}\n", signatures


def _decoded(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error:
        data = b""
    # Spare bits in the last digit would let one signature be written in several ways.
    if base64.b64encode(data).decode() != text:
        raise Unsigned("it is no signed note: one of its signatures is no base64")
    return data


def _parts(text: str) -> tuple[str, bytes, bytes]:
    name, _, rest = text.partition("+")
    number, _, raw = rest.partition("+")
    try:
        decoded = base64.b64decode(raw, validate=True)
        key_id = bytes.fromhex(number)
    except ValueError:
        decoded = key_id = b""
    if _NAME.fullmatch(name) is None or len(key_id) != 4 or len(decoded) != 33 or decoded[:1] != _ED25519:
        raise ValueError("a key is written name+hash+base64, and only Ed25519 is known here")
    return name, key_id, decoded[1:]


def _key_id(name: str, raw: bytes) -> bytes:
    return sha256(name.encode() + b"\n" + _ED25519 + raw).digest()[:4]
