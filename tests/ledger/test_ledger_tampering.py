"""AU-07: what is done to a ledger afterwards is found, and a restart goes on where it ended."""

import asyncio
import random
import shutil
from pathlib import Path

import pytest

from toolgate.errors import ConfigError
from toolgate.ledger.verify import verify
from toolgate.ledger.writer import Writer
from toolgate.model import Record


def record(number: int) -> Record:
    return Record(id=f"call-{number}", ts="2026-11-20T10:00:00.000000Z", method="tools/call", outcome="ok")


async def write(folder: Path, numbers: range) -> None:
    writer = Writer(folder)
    writer.start()
    await asyncio.gather(*(writer.append(record(number)) for number in numbers))
    await writer.aclose()


def the_file(folder: Path) -> Path:
    return next(folder.glob("*.jsonl"))


async def test_a_ledger_as_it_was_written_is_intact(tmp_path: Path) -> None:
    await write(tmp_path / "ledger", range(20))
    await write(tmp_path / "ledger", range(20, 30))
    report = verify(tmp_path / "ledger")
    assert (report.ok, report.records) == (True, 30)


async def test_any_changed_byte_is_found(tmp_path: Path) -> None:
    await write(tmp_path / "ledger", range(5))
    original = the_file(tmp_path / "ledger").read_bytes()
    chosen = random.Random(3)
    for _ in range(300):
        copy = tmp_path / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(tmp_path / "ledger", copy)
        changed = bytearray(original)
        at = chosen.randrange(len(changed))
        changed[at] ^= 1 << chosen.randrange(8)
        the_file(copy).write_bytes(changed)
        assert not verify(copy).ok, f"byte {at}"


@pytest.mark.parametrize("change", ["removed", "doubled", "swapped"])
async def test_a_line_removed_doubled_or_swapped_is_found(tmp_path: Path, change: str) -> None:
    await write(tmp_path / "ledger", range(6))
    file = the_file(tmp_path / "ledger")
    lines = file.read_bytes().splitlines(keepends=True)
    if change == "removed":
        del lines[2]
    elif change == "doubled":
        lines.insert(2, lines[2])
    else:
        lines[2], lines[3] = lines[3], lines[2]
    file.write_bytes(b"".join(lines))
    assert not verify(tmp_path / "ledger").ok


async def test_a_cut_end_is_found_by_a_head_noted_elsewhere(tmp_path: Path) -> None:
    await write(tmp_path / "ledger", range(6))
    head = verify(tmp_path / "ledger").head
    file = the_file(tmp_path / "ledger")
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:-1]))
    assert verify(tmp_path / "ledger").ok
    assert not verify(tmp_path / "ledger", head).ok


async def test_two_gateways_never_write_one_ledger(tmp_path: Path) -> None:
    first, second = Writer(tmp_path / "ledger"), Writer(tmp_path / "ledger")
    first.start()
    with pytest.raises(ConfigError):
        second.start()
    await first.aclose()


async def test_a_disk_durable_record_is_there_when_its_append_resolves(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "ledger", durability="disk")
    writer.start()
    await writer.append(record(1))
    assert b"call-1" in the_file(tmp_path / "ledger").read_bytes()
    await writer.aclose()
