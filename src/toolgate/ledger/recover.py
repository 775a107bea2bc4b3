"""Where the last gateway stopped: the head of the chain, and what a crash left behind. Writes no records."""

import os
from hashlib import sha256
from pathlib import Path

from msgspec import Struct

from toolgate.errors import ConfigError, Problem
from toolgate.ledger.chain import MAX_LINE, ORIGIN, Broken, Head, check, parse
from toolgate.ledger.folder import settle
from toolgate.ledger.segments import Segment, backward, forward, segment_name, segments, torn_files, torn_name


class LedgerDamaged(ConfigError):
    """What is in the ledger's folder is not as a gateway left it: going on would bury that."""


class Found(Struct, frozen=True):
    """Where to go on."""

    head: Head
    path: Path
    """The segment to append to; it may not exist yet."""
    size: int
    """Bytes of it that are whole lines."""


class Torn(Struct, frozen=True):
    """A file that holds what a crash left of a line."""

    name: str
    bytes: int
    sha256: str


def recover(folder: Path) -> Found:
    """Check the last segment, move a torn line aside, and say where to go on.

    Raises `LedgerDamaged` where a whole line is damaged: going on behind it would bury the damage.
    Raises `OSError` where the folder cannot be read or written.
    """
    known = segments(folder)
    if not known:
        return Found(ORIGIN, folder / segment_name(1), 0)
    last = known[-1]
    head, size, rest = _walk(last, _before(known))
    if rest:
        _set_aside(last.path, size, rest, head.seq + 1)
    return Found(head, last.path, size)


def unrecorded(folder: Path, head: Head) -> list[Torn]:
    """Torn files no record tells of yet: those moved aside when the record after `head` was due.

    A crash between moving and telling leaves them for the next start to find. Raises `OSError`.
    """
    return [read_torn(file.path) for file in torn_files(folder) if file.first == head.seq + 1]


def _before(known: list[Segment]) -> Head:
    """The head the last segment continues."""
    last = known[-1]
    if last.first == 1:
        return ORIGIN
    return _end(known[-2].path) if len(known) > 1 else _promised(last.path)


def _end(path: Path) -> Head:
    line = next(backward(path), b"")
    claim = parse(line)
    if claim is None:
        raise _damaged(path, 0, "The segment does not end with a whole line.")
    try:
        return check(claim.after, line)
    except Broken as problem:
        raise _damaged(path, 0, str(problem)) from problem


def _promised(path: Path) -> Head:
    """The segments before were archived elsewhere: believe the first line. The verifier will not."""
    claim = parse(next(forward(path), b""))
    if claim is None:
        raise _damaged(path, 1, "The segments before it are gone, and it does not say what it follows.")
    return claim.after


def _walk(segment: Segment, head: Head) -> tuple[Head, int, bytes]:
    """Head and size of the whole lines, and what stands behind them."""
    if segment.first != head.seq + 1:
        raise _damaged(
            segment.path, 0, f"It should start with record {segment.first}, but {head.seq + 1} is due."
        )
    size = 0
    for number, line in enumerate(forward(segment.path), 1):
        if not line.endswith(b"\n") and len(line) < MAX_LINE:
            return head, size, line
        try:
            head = check(head, line)
        except Broken as problem:
            raise _damaged(segment.path, number, str(problem)) from problem
        size += len(line)
    return head, size, b""


def _set_aside(path: Path, size: int, rest: bytes, seq: int) -> None:
    """The copy is safe before the original is cut. Its name is its content: twice is as good as once."""
    copy = path.with_name(torn_name(seq, sha256(rest).hexdigest()))
    handle = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(rest)
        file.flush()
        os.fsync(file.fileno())
    settle(path.parent)
    os.truncate(path, size)


def read_torn(path: Path) -> Torn:
    """Size and hash of a torn line that was moved aside. Raises `OSError`."""
    with path.open("rb") as file:
        data = file.read(MAX_LINE)
    return Torn(path.name, len(data), sha256(data).hexdigest())


def _damaged(path: Path, line: int, text: str) -> LedgerDamaged:
    remedy = "Run `toolgate ledger verify`; to go on without this ledger, move its folder away or set ledger.on_damage."
    text = f"The ledger is damaged. {text}".rstrip()
    return LedgerDamaged([Problem(text, file=str(path), line=line, key="ledger.path", remedy=remedy)])
