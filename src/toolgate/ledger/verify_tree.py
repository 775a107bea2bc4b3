"""Checks the tree beside a chain: makes it again from the lines and compares every file and signature."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from toolgate.ledger import merkle
from toolgate.ledger.acts import Started
from toolgate.ledger.chain import Head
from toolgate.ledger.note import Checkpoint, Unsigned, VerifierKey
from toolgate.ledger.report import Report
from toolgate.ledger.segments import TREE
from toolgate.ledger.tiles import Tile, Tiling
from toolgate.ledger.tree import CHECKPOINT, PUBLIC_KEY, Damaged, Tiles, read_note


class TreeCheck:
    """Told of every line in order; `finish` says what the tree itself shows."""

    def __init__(
        self, folder: Path, report: Report, key: VerifierKey | None, noted: Sequence[Checkpoint]
    ) -> None:
        """Without `key`, the one that lies beside the tree is believed: it shows accidents, not forgers."""
        self._report = report
        self._tiling: Tiling | None = Tiling()
        self._noted = {one.size: one for one in noted}
        self._told: str | None = None
        self._there = (folder / TREE).exists()
        self._checkpoint = self._signed(folder / TREE, key) if self._there or key else None
        size = self._checkpoint.size if self._checkpoint else 0
        self._tiles = Tiles(folder / TREE, size)
        self._size = size
        self._compare_roots(0)

    def add(self, line: Head) -> None:
        """The next line. Where one is missing, nothing can be said of the tree from there on."""
        tiling = self._tiling
        if tiling is None or line.seq != tiling.size + 1:
            self._tiling = None
            return
        entry = bytes.fromhex(line.hash)
        for tile, data in tiling.add(entry):
            if tiling.size <= self._size:
                self._compare(tile, data)
        if tiling.size == self._size:
            for tile, data in tiling.edge():
                self._compare(tile, data)
        if tiling.size == self._size or tiling.size in self._noted:
            self._compare_roots(tiling.size)

    def heads(self, count: int) -> Iterator[Head]:
        """What the tree's entries say of the first `count` records. Raises `Damaged`."""
        if count > self._size:
            raise Damaged(f"the checkpoint covers {self._size} records only.")
        for index in range(count):
            yield Head(index + 1, self._tiles.entry(index).hex())

    def key_told(self, started: Started | None) -> None:
        """A record says with which key checkpoints are signed from here on."""
        if started:
            self._told = started.checkpoint_key

    def finish(self, last: int) -> None:
        """All lines were told; `last` is the number of the last."""
        if self._told and not self._there:
            self._report.find("checkpoint", "Records tell of checkpoints, but the tree is not here.", TREE)
        elif self._told and self._report.key not in (None, self._told):
            what = f"Records tell of checkpoints signed with {self._told}, another key than this one."
            self._report.find("checkpoint", what, f"{TREE}/{CHECKPOINT}")
        if self._size > last:
            what = f"A checkpoint over {self._size} records was signed, but the ledger ends with {last}."
            self._report.find("checkpoint", f"{what} Its end was cut.", f"{TREE}/{CHECKPOINT}")
        for size in self._noted:
            if size > last:
                what = f"A checkpoint over {size} records was noted, but the ledger ends with {last}."
                self._report.find("checkpoint", f"{what} Its end was cut.")

    def _signed(self, folder: Path, key: VerifierKey | None) -> Checkpoint | None:
        report, name = self._report, f"{TREE}/{CHECKPOINT}"
        try:
            report.key_given = key is not None
            key = key or VerifierKey.parse((folder / PUBLIC_KEY).read_text(errors="replace"))
            report.key = str(key)
            note = read_note(folder)
            if note is None:
                report.find("checkpoint", "The checkpoint is not here: it was removed.", name)
                return None
            found = key.checkpoint(note)
        except Unsigned as problem:
            report.find("checkpoint", f"The checkpoint cannot be believed: {problem}.", name)
        except (OSError, ValueError) as problem:
            what = f"The key that checks the signature cannot be read: {problem}"
            report.find("checkpoint", what, f"{TREE}/{PUBLIC_KEY}")
        else:
            report.checkpoint = found.size
            return found
        return None

    def _compare(self, tile: Tile, data: bytes) -> None:
        try:
            same = self._tiles.tile(tile) == data
        except Damaged as problem:
            self._report.find("tile", str(problem), f"{TREE}/{tile.path}")
            return
        if not same:
            what = "This tile is not made from the lines of the ledger: one of the two was changed."
            self._report.find("tile", what, f"{TREE}/{tile.path}")

    def _compare_roots(self, size: int) -> None:
        assert self._tiling is not None
        signed = self._checkpoint if self._checkpoint and size == self._size else None
        noted = self._noted.get(size)
        if signed is None and noted is None:
            return
        root = merkle.root(size, self._tiling.node)
        if signed and signed.root != root:
            what = f"The first {size} records are not those that were signed."
            self._report.find("checkpoint", what, f"{TREE}/{CHECKPOINT}")
        if noted and noted.root != root:
            what = f"The first {size} records are not those of the checkpoint that was noted."
            self._report.find("checkpoint", what)
