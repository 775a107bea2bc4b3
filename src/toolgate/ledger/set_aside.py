"""Begins a new ledger beside a damaged one, where the operator's setting says so. Nothing of the old is touched.

The folder as a whole gets another name: it is the evidence. What is needed to recognise and open values goes
along as a copy. The key that signs does not: one key must never sign two histories.
"""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from toolgate.errors import ConfigError
from toolgate.ledger.checkpoints import Checkpoints
from toolgate.ledger.recover import LedgerDamaged
from toolgate.ledger.segments import KEY, SUBJECTS
from toolgate.ledger.writer import Writer

SET_ASIDE = "ledger/set_aside"


class Opened(Struct, frozen=True):
    """A ledger that can be written."""

    writer: Writer
    checkpoints: Checkpoints
    damaged: Path | None
    """Where a damaged one is now."""
    damage: str
    """What was wrong with it."""


async def open_ledger(
    folder: Path, make: Callable[[], Writer], sign: Callable[[Writer], Checkpoints], *, set_aside: bool
) -> Opened:
    """The ledger in `folder`, as `make` and `sign` open it; with `set_aside`, a new one if that is damaged.

    Raises `ConfigError`: `LedgerDamaged` where it is damaged and not to be set aside.
    """
    try:
        return await _open(make, sign, None, "")
    except LedgerDamaged as damage:
        if not set_aside:
            raise
        moved = _moved(folder, time.time())
        return await _open(make, sign, moved, str(damage))


async def _open(
    make: Callable[[], Writer], sign: Callable[[Writer], Checkpoints], damaged: Path | None, damage: str
) -> Opened:
    writer = make()
    writer.start()
    try:
        return Opened(writer, sign(writer), damaged, damage)
    except ConfigError:
        await writer.aclose()
        raise


def _moved(folder: Path, now: float) -> Path:
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    target = folder.with_name(f"{folder.name}.damaged-{stamp}")
    folder.rename(target)
    folder.mkdir(mode=0o700)
    if (target / KEY).exists():
        shutil.copy2(target / KEY, folder / KEY)
    if (target / SUBJECTS).is_dir():
        shutil.copytree(target / SUBJECTS, folder / SUBJECTS)
    return target
