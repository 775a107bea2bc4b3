"""Names and order of the files in a ledger's folder, read from either end. Knows nothing of hashes.

`0000000001.jsonl` is a segment; its name is the number of its first record. `0000000042-1f….torn` is what a
crash left of a line, moved aside when record 42 was due.
"""

import os
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from msgspec import Struct

from toolgate.ledger.chain import MAX_LINE

INBOX = "inbox"
KEY = "digest.key"
LOCK = "lock"
SIGNING_KEY = "signing.key"
SPOOL = "spool"
SUBJECTS = "subjects"
READERS = "readers"
TREE = "tree"

_OURS = frozenset({INBOX, KEY, LOCK, READERS, SIGNING_KEY, SPOOL, SUBJECTS, TREE})

_SEGMENT = re.compile(r"(\d{10,18})\.jsonl")
_TORN = re.compile(r"(\d{10,18})-[0-9a-f]{16}\.torn")
_BLOCK = 64 * 1024


class Segment(Struct, frozen=True):
    """One file of lines."""

    first: int
    """The sequence number its name promises for its first line."""
    path: Path


def segment_name(seq: int) -> str:
    """The name of the segment that starts with record `seq`."""
    return f"{seq:010d}.jsonl"


def torn_name(seq: int, digest: str) -> str:
    """The name for a torn line found when record `seq` was due. Same bytes, same name."""
    return f"{seq:010d}-{digest[:16]}.torn"


def segments(folder: Path) -> list[Segment]:
    """All segments, in the order they were written. Raises `OSError`."""
    named = ((_SEGMENT.fullmatch(path.name), path) for path in folder.iterdir())
    return sorted((Segment(int(match[1]), path) for match, path in named if match), key=lambda one: one.first)


def torn_files(folder: Path) -> list[Segment]:
    """All torn lines that were moved aside, in order of the record that was due. Raises `OSError`."""
    named = ((_TORN.fullmatch(path.name), path) for path in folder.iterdir())
    return sorted(
        (Segment(int(match[1]), path) for match, path in named if match), key=lambda one: one.path.name
    )


def strangers(folder: Path) -> list[str]:
    """Names that are no part of a ledger, such as a renamed segment. Dot files are left alone."""
    return sorted(
        path.name
        for path in folder.iterdir()
        if not (path.name in _OURS or path.name.startswith("."))
        and not (_SEGMENT.fullmatch(path.name) or _TORN.fullmatch(path.name))
    )


def forward(path: Path) -> Iterator[bytes]:
    """Every line, first to last, with its newline. A piece without one is torn, or longer than `MAX_LINE`."""
    with path.open("rb", buffering=1024 * 1024) as file:
        yield from iter(partial(file.readline, MAX_LINE), b"")


def backward(path: Path) -> Iterator[bytes]:
    """Every line, last to first, with its newline; before them what stands behind the last newline, if any.

    Reads only as much of the file as is asked for. Raises `OSError`, also for a line longer than `MAX_LINE`.
    """
    with path.open("rb") as file:
        position = file.seek(0, os.SEEK_END)
        rest, block, newline = b"", _BLOCK, b""
        while position:
            step = min(block, position)
            position = file.seek(position - step)
            rest, *lines = (file.read(step) + rest).split(b"\n")
            for line in reversed(lines):
                if line or newline:
                    yield line + newline
                newline = b"\n"
            if len(rest) > MAX_LINE:
                raise OSError(f"{path.name} holds a line of more than {MAX_LINE} bytes")
            # Doubled while no newline turns up, so that a long line is not copied once per block.
            block = _BLOCK if lines else block * 2
        if rest or newline:
            yield rest + newline
