"""The process ends at a random moment: what was called safe is in the ledger, and the chain goes on.

`TOOLGATE_KILLS=50` kills that often. This is kill -9, not a power cut: the kernel lives on.
"""

import asyncio
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from toolgate.ledger.show import read
from toolgate.ledger.verify import verify
from toolgate.ledger.writer import Writer

CHILD = Path(__file__).with_name("ledger_child.py")
KILLS = int(os.environ.get("TOOLGATE_KILLS", "5"))
WAIT = 30


def start(act: str, folder: Path, durability: str, run: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(CHILD), act, str(folder), durability, run]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def kill_under_load(folder: Path, durability: str, run: str, after: int) -> set[str]:
    """The ids that were called safe before the end."""
    with start("append", folder, durability, run) as child:
        assert child.stdout is not None
        safe = [child.stdout.readline() for _ in range(after)]
        assert safe[-1], "the process ended by itself"
        child.kill()
        safe += child.stdout.readlines()
        child.wait(WAIT)
    # The pipe may end in half an id: that one was not told.
    return {line.strip() for line in safe if line.endswith("\n")}


def restart(folder: Path) -> None:
    async def once() -> None:
        writer = Writer(folder)
        writer.start()
        await writer.aclose()

    asyncio.run(once())


@pytest.mark.parametrize("durability", ["os", "disk"])
def test_what_was_called_safe_survives_kill_9(tmp_path, durability):
    chance = random.Random(20261125)
    folder = tmp_path / "ledger"
    safe: set[str] = set()
    for kill in range(KILLS):
        safe |= kill_under_load(folder, durability, f"run{kill}", chance.randint(1, 3000))
        restart(folder)
        report = verify(folder)
        assert report.findings == []
    kept = {record["id"] for _, record in read(folder)}
    assert len(safe) > KILLS
    assert safe - kept == set()


@pytest.mark.parametrize("durability", ["os", "disk"])
def test_a_disk_that_fills_up_loses_nothing_that_was_called_safe(tmp_path, durability):
    """Writes are cut short by RLIMIT_FSIZE, which gives EFBIG where a full disk gives ENOSPC."""
    folder = tmp_path / "ledger"
    with start("fill", folder, durability, "run") as child:
        told = [line.strip().split(" ", 1) for line in child.communicate(timeout=WAIT)[0].splitlines()]
    by_answer = {
        word: [rest for first, rest in told if first == word] for word in ("safe", "refused", "failed")
    }
    failed_before, failed_after = by_answer["failed"]
    assert "File too large" in failed_before
    assert failed_after == "None"
    assert by_answer["refused"]
    report = verify(folder)
    assert report.findings == []
    records = [record for _, record in read(folder)]
    assert [one["id"] for one in records if one.get("event") != "gateway"] == by_answer["safe"]
    outage = next(one for one in records if one["method"] == "ledger/outage")
    assert outage["arguments"]["refused"] == len(by_answer["refused"])
