"""Moves old segments out of a ledger, to where they cost less. The tree stays, so every proof stays.

A segment may go when a checkpoint covers it and every sink has it. The gateway may be running: it writes
only the last segment, which never goes.
"""

import os
import shutil
from hashlib import sha256
from pathlib import Path

import msgspec
from msgspec import Struct

from toolgate.ledger import inbox
from toolgate.ledger.chain import Head, parse, record_of
from toolgate.ledger.folder import settle
from toolgate.ledger.note import unchecked
from toolgate.ledger.segments import READERS, TREE, Segment, backward, segments
from toolgate.ledger.tree import read_note

ARCHIVED = "ledger/archived"


class Archived(Struct):
    """What the record of an archiving says."""

    last: int
    """The last record that is not here any more."""
    hash: str
    """Of its line."""


class Unarchived(Exception):
    """Nothing was moved. Its text is a plain sentence."""


class _Moment(Struct):
    ts: str


def archive(folder: Path, before: str, to: Path) -> list[Path]:
    """Move the segments whose records are all older than `before` (RFC 3339, UTC). Returns where they are now.

    Raises `Unarchived` where none may go, and `OSError`; then every segment is still in the ledger.
    """
    chosen, last = _may_go(folder, before)
    to.mkdir(mode=0o700, parents=True, exist_ok=True)
    copies = [_copied(segment.path, to / segment.path.name) for segment in chosen]
    settle(to)
    detail = f"Records up to {last.seq} were moved to {to}, in {len(copies)} segments."
    if not inbox.leave(folder, ARCHIVED, detail, last=last.seq, hash=last.hash):
        raise Unarchived("The act cannot be noted in the ledger's folder, so nothing was moved.")
    for segment in chosen:
        segment.path.unlink()
    settle(folder)
    return copies


def _may_go(folder: Path, before: str) -> tuple[list[Segment], Head]:
    signed, read = _signed(folder), _read_by_all(folder)
    chosen: list[Segment] = []
    head = None
    for segment in segments(folder)[:-1]:
        line = next(backward(segment.path), b"")
        claim = parse(line)
        if claim is None:
            raise Unarchived(f"{segment.path.name} is damaged: run `toolgate ledger verify`.")
        if msgspec.json.decode(record_of(line), type=_Moment).ts >= before:
            break
        if claim.head.seq > signed:
            raise Unarchived(f"{segment.path.name} is not covered by a checkpoint yet.")
        if claim.head.seq > read:
            raise Unarchived(f"{segment.path.name} has not been delivered to every sink yet.")
        chosen.append(segment)
        head = claim.head
    if head is None:
        raise Unarchived("No closed segment is that old.")
    return chosen, head


def _signed(folder: Path) -> int:
    note = read_note(folder / TREE)
    return 0 if note is None else unchecked(note).size


def _read_by_all(folder: Path) -> int:
    found = [
        int(msgspec.json.decode(path.read_bytes())["seq"]) for path in (folder / READERS).glob("*.cursor")
    ]
    return min(found, default=1 << 62)


def _copied(source: Path, target: Path) -> Path:
    """A copy that is on the disk and is the same. Raises `OSError`."""
    shutil.copyfile(source, target)
    fd = os.open(target, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
    if _digest(source) != _digest(target):
        raise OSError(f"the copy of {source.name} differs from it")
    return target


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        digest = sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.digest()
