"""How one line of the ledger is made and checked. Knows nothing of files, time or what a record means.

A line is `{"seq":N,"prev":"…","record":{…},"hash":"…"}` and a newline. `hash` is the SHA-256, in hex, of
every byte of the line before `,"hash"`; `prev` is the hash of the line before. The last 76 bytes of a line
are always `,"hash":"` + 64 digits + `"}` + newline, so any shell can check one: `head -c -76 line |
sha256sum`.

What a chain proves: no line inside it was changed, removed, added, doubled or moved. What it cannot prove:
that nothing was cut from its end. Whoever notes a `Head` elsewhere and compares later closes that gap up to
the note.
"""

import re
from hashlib import sha256

import msgspec
from msgspec import Struct

from toolgate.model import Record

MAX_LINE = 16 * 1024 * 1024
"""Bytes of the longest line. Readers never hold more than this at once."""

MAX_RECORD = MAX_LINE - 256
"""Bytes of the longest record: a line without its frame."""

_CLOSING = 76
_RECORD = b',"record":'
_SHAPE = re.compile(
    rb'\{"seq":([1-9]\d{0,17}),"prev":"([0-9a-f]{64})","record":\{.*\},"hash":"([0-9a-f]{64})"\}\n',
    re.DOTALL,
)
_HEAD = re.compile(r"(0|[1-9]\d{0,17}):([0-9a-f]{64})")


class Head(Struct, frozen=True):
    """The last line of a chain: all the next line needs to know."""

    seq: int
    hash: str

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"

    @classmethod
    def parse(cls, text: str) -> "Head":
        """Reads `SEQ:HASH`. Raises `ValueError` for anything else."""
        match = _HEAD.fullmatch(text)
        if match is None:
            raise ValueError("a head is written SEQ:HASH, the hash as 64 lower-case hex digits")
        return cls(int(match[1]), match[2])


ORIGIN = Head(0, "0" * 64)
"""What the first line of a ledger follows."""


class Link(Struct, frozen=True):
    """What a line says of itself, true or not."""

    after: Head
    """The line it claims to follow."""
    head: Head
    """The line it claims to be."""


class Broken(Exception):
    """A line that is not the one line that may stand here. Its text is a plain sentence."""


def encode(record: Record) -> bytes:
    """The canonical bytes of a record: JSON in field order, on one line.

    Raises `ValueError` for a record that is no JSON or is larger than `MAX_RECORD`.
    """
    try:
        data = msgspec.json.encode(record)
        # Only `msgspec.Raw` in the arguments can bring a newline: a client's own layout.
        if b"\n" in data:
            data = msgspec.json.format(data, indent=-1)
    except (TypeError, RecursionError, msgspec.MsgspecError) as problem:
        raise ValueError(f"the record is no JSON: {problem}") from problem
    if len(data) > MAX_RECORD:
        raise ValueError(f"the record has {len(data)} bytes, {MAX_RECORD} are allowed")
    return data


def link(head: Head, record: bytes) -> tuple[bytes, Head]:
    """The line that puts `record` (from `encode`) behind `head`, and the head it makes."""
    seq = head.seq + 1
    body = b'{"seq":%d,"prev":"%b","record":%b' % (seq, head.hash.encode(), record)
    digest = sha256(body).hexdigest()
    return b'%b,"hash":"%b"}\n' % (body, digest.encode()), Head(seq, digest)


def check(head: Head, line: bytes) -> Head:
    """The head `line` makes, if it is intact and follows `head`. Raises `Broken`."""
    body = line[:-_CLOSING]
    digest = sha256(body).hexdigest()
    opening = b'{"seq":%d,"prev":"%b","record":{' % (head.seq + 1, head.hash.encode())
    if body.startswith(opening) and line[-_CLOSING:] == b',"hash":"%b"}\n' % digest.encode():
        return Head(head.seq + 1, digest)
    raise Broken(_why(head, line))


def parse(line: bytes) -> Link | None:
    """What a line claims, unchecked; None where it has not the shape of a line."""
    match = _SHAPE.fullmatch(line)
    if match is None:
        return None
    seq = int(match[1])
    return Link(Head(seq - 1, match[2].decode()), Head(seq, match[3].decode()))


def record_of(line: bytes) -> bytes:
    """The record inside a line that has the shape of one."""
    return line[line.index(_RECORD) + len(_RECORD) : -_CLOSING]


def _why(head: Head, line: bytes) -> str:
    claim = parse(line)
    if claim is None:
        return "This is not a line of a ledger: it was damaged or put here by something else."
    seq = claim.head.seq
    if sha256(line[:-_CLOSING]).hexdigest() != claim.head.hash:
        return f"Record {seq} was changed after it was written: its hash does not fit its bytes."
    if seq > head.seq + 1:
        return f"Records {head.seq + 1} to {seq - 1} are missing before record {seq}."
    if seq <= head.seq:
        return f"Record {seq} stands behind record {head.seq}: it is there twice or in the wrong place."
    return f"Record {seq} does not follow the record before it: one of the two was replaced."
