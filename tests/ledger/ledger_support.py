"""Records, ledgers and damaged descriptors for the ledger's tests."""

import asyncio
import os
from pathlib import Path

from toolgate.ledger.chain import encode
from toolgate.ledger.checkpoints import Checkpoints
from toolgate.ledger.recover import recover
from toolgate.ledger.segments import segments
from toolgate.ledger.tail import Tail
from toolgate.ledger.writer import Writer
from toolgate.model import Record

TORN = b'{"seq":9,"prev":"12'


def record(number: int = 1, **fields: object) -> Record:
    """A record like one of a call; `number` makes its id and its second."""
    known: dict = {
        "method": "tools/call",
        "agent": "closing-agent",
        "server": "bank",
        "target": "read_account",
    }
    return Record(f"call-{number}", f"2026-11-25T10:00:{number % 60:02d}.000000Z", **{**known, **fields})


def build(
    folder: Path, count: int, *, segment_bytes: int = 1 << 26, start: int = 1, **fields: object
) -> Path:
    """A ledger with `count` more records, without a loop."""
    folder.mkdir(exist_ok=True, mode=0o700)
    tail = Tail(recover(folder), segment_bytes)
    for number in range(start, start + count):
        tail.write([encode(record(number, **fields))], durable=False)
    tail.close()
    return folder


def build_with_torn_line(folder: Path) -> Path:
    """Three segments, and one torn line that was moved aside and recorded."""
    build(folder, 7, segment_bytes=1000)
    tear(folder)

    async def restart() -> None:
        writer = Writer(folder)
        writer.start()
        await writer.aclose()

    asyncio.run(restart())
    return build(folder, 3, segment_bytes=1000, start=8)


def tear(folder: Path, rest: bytes = TORN) -> Path:
    """What a crash in the middle of a write leaves. Returns the segment."""
    last = segments(folder)[-1].path
    with last.open("ab") as file:
        file.write(rest)
    return last


def lines(folder: Path) -> list[bytes]:
    """Every line of a ledger."""
    return [line for one in segments(folder) for line in one.path.read_bytes().splitlines(keepends=True)]


def open_descriptor(path: Path) -> int:
    """The descriptor this process holds on `path` for writing."""
    for entry in os.listdir("/proc/self/fd"):
        try:
            if os.readlink(f"/proc/self/fd/{entry}") == str(path):
                return int(entry)
        except FileNotFoundError:
            continue
    raise AssertionError(f"{path} is not open")


def sign(folder: Path, key: Path | None = None) -> Checkpoints:
    """Publish a checkpoint over all that is written, as a stopping gateway does."""
    checkpoints = Checkpoints(folder, key, lambda: recover(folder).head)

    async def publish() -> None:
        await checkpoints.aclose()

    asyncio.run(publish())
    assert checkpoints.problem is None
    return checkpoints
