"""A process that appends under load until it is killed. Prints the id of each record once it is told it is safe."""

import asyncio
import os
import resource
import sys
from pathlib import Path

from toolgate.errors import Refusal
from toolgate.ledger.writer import Writer
from toolgate.model import Record

CALLERS = 20
ROOM = 20_000


def record(name: str) -> Record:
    return Record(
        name, "2026-11-25T10:00:00.000000Z", method="tools/call", server="bank", target="read_account"
    )


async def append_for_ever(folder: Path, durability: str, run: str) -> None:
    writer = Writer(folder, durability=durability, segment_bytes=200_000, pause=0.05)
    writer.start()

    async def call(caller: int) -> None:
        turn = 0
        while True:
            turn += 1
            name = f"{run}-{caller}-{turn}"
            await writer.append(record(name))
            os.write(1, f"{name}\n".encode())

    await asyncio.gather(*(call(caller) for caller in range(CALLERS)))


async def run_out_of_room(folder: Path, durability: str, run: str) -> None:
    """RLIMIT_FSIZE stands for the full disk: the kernel takes a part of the write, then refuses the rest."""
    writer = Writer(folder, durability=durability, pause=3600)
    writer.start()
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, hard))
    for turn in range(3):
        await attempt(writer, f"{run}-{turn}", 25)
    print(f"failed {writer.failed}", flush=True)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    await attempt(writer, f"{run}-after", 25)
    print(f"failed {writer.failed}", flush=True)
    await writer.aclose()


async def attempt(writer: Writer, name: str, count: int) -> None:
    answers = {f"{name}-{number}": writer.append(record(f"{name}-{number}")) for number in range(count)}
    for each, answer in answers.items():
        try:
            await answer
        except Refusal:
            print(f"refused {each}", flush=True)
        else:
            print(f"safe {each}", flush=True)


if __name__ == "__main__":
    act = {"append": append_for_ever, "fill": run_out_of_room}[sys.argv[1]]
    asyncio.run(act(Path(sys.argv[2]), sys.argv[3], sys.argv[4]))
