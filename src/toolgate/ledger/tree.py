"""The Merkle tree of a ledger, as files any static host can serve (C2SP tlog-tiles): read, and grown.

Its entries are the 32 bytes of the lines' hashes, so what is served tells nothing of the records, and an
entry has one size however large its record is. Leaf N-1 stands for record N. `checkpoint` is signed and
replaced last, when everything it covers is on the disk.
"""

import os
import shutil
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from toolgate.ledger import merkle
from toolgate.ledger.folder import settle
from toolgate.ledger.note import MAX_NOTE, Checkpoint, SignerKey
from toolgate.ledger.tiles import ENTRIES, HASH, WIDTH, Tile, Tiling, edge_of, tile_of

CHECKPOINT = "checkpoint"
PUBLIC_KEY = "verifier.key"

_ENTRY = 2 + HASH
_CACHED = 64
"""Tiles kept at once by a reader: 512 KiB."""


class Damaged(Exception):
    """A file of the tree is missing or is not what it must be. Its text is a plain sentence."""


def read_note(folder: Path) -> str | None:
    """The published checkpoint as it is signed; None where none was published. Raises `OSError`."""
    try:
        with (folder / CHECKPOINT).open("rb") as file:
            return file.read(4 * MAX_NOTE).decode(errors="replace")
    except FileNotFoundError:
        return None


class Tiles:
    """Reads the hashes of a tree of `size` leaves. Believes the files: who needs more compares roots."""

    def __init__(self, folder: Path, size: int) -> None:
        self._folder = folder
        self._size = size
        self._read = lru_cache(_CACHED)(self._uncached)

    def node(self, level: int, index: int) -> bytes:
        """See `merkle.Node`. Raises `Damaged`."""
        step, within = divmod(level, 8)
        first, count = index << within, 1 << within
        data = self._read(step, first // WIDTH)
        start = first % WIDTH * HASH
        hashes = [data[at : at + HASH] for at in range(start, start + count * HASH, HASH)]
        return merkle.complete(hashes)

    def entry(self, index: int) -> bytes:
        """What leaf `index` was hashed from. Raises `Damaged`."""
        return entries_in(self._read(ENTRIES, index // WIDTH))[index % WIDTH]

    def root(self, size: int) -> bytes:
        """The root of the first `size` leaves. Raises `Damaged`."""
        return merkle.root(size, self.node)

    def tile(self, tile: Tile) -> bytes:
        """The bytes of one file; those of the full tile where the partial one is gone. Raises `Damaged`."""
        one = _ENTRY if tile.level == ENTRIES else HASH
        for path in (tile.path, Tile(tile.level, tile.index, WIDTH).path):
            try:
                data = (self._folder / path).read_bytes()
            except FileNotFoundError:
                continue
            except OSError as problem:
                raise Damaged(f"{path} cannot be read: {problem.strerror}.") from problem
            if len(data) % one or len(data) < tile.width * one:
                raise Damaged(f"{path} has {len(data)} bytes: it was damaged.")
            return data[: tile.width * one]
        raise Damaged(f"{tile.path} is missing.")

    def _uncached(self, level: int, index: int) -> bytes:
        return self.tile(tile_of(level, index, self._size))


class Tree:
    """The tree being grown. Used by one thread at a time."""

    def __init__(self, folder: Path, signer: SignerKey) -> None:
        """The tree as last published in `folder`; empty where there is none. Raises `Damaged`, `Unsigned`
        (a checkpoint our key did not sign) and `OSError`."""
        self._folder = folder
        self._signer = signer
        self._tiling = Tiling()
        self._unsynced: list[Path] = []
        self._outgrown: list[Path] = []
        self.last = bytes(HASH)
        """The last entry."""
        self.published: Checkpoint | None = None
        note = read_note(folder)
        if note is not None:
            self.published = signer.verifier.checkpoint(note)
            self._load(self.published)

    @property
    def size(self) -> int:
        """Leaves so far, published or not."""
        return self._tiling.size

    def add(self, entry: bytes) -> None:
        """One more entry of 32 bytes. Raises `OSError`."""
        for tile, data in self._tiling.add(entry):
            self._write(tile, data)
            partial = self._folder / f"{tile.path}.p"
            self._outgrown.append(partial)
        self.last = entry

    def publish(self) -> Checkpoint:
        """Write what the tree of now needs, then sign it. Raises `OSError`: then the last one stays in force."""
        for tile, data in self._tiling.edge():
            self._write(tile, data)
        _sync(self._unsynced)
        self._unsynced.clear()
        root = merkle.root(self.size, self._tiling.node)
        checkpoint = Checkpoint(self._signer.verifier.name, self.size, root)
        self._replace(CHECKPOINT, self._signer.sign(checkpoint.text))
        self._replace(PUBLIC_KEY, f"{self._signer.verifier}\n")
        self.published = checkpoint
        for path in self._outgrown:
            shutil.rmtree(path, ignore_errors=True)
        self._outgrown.clear()
        return checkpoint

    def _load(self, checkpoint: Checkpoint) -> None:
        size, tiles = checkpoint.size, Tiles(self._folder, checkpoint.size)
        tiling = self._tiling
        tiling.size = size
        for tile in edge_of(size):
            data = tiles.tile(tile)
            if tile.level == ENTRIES:
                tiling.entries = entries_in(data)
                continue
            tiling.levels += [[] for _ in range(tile.level + 1 - len(tiling.levels))]
            tiling.levels[tile.level] = [data[at : at + HASH] for at in range(0, len(data), HASH)]
        if merkle.root(size, tiling.node) != checkpoint.root:
            raise Damaged("The tiles do not lead to the root that was signed.")
        if size:
            self.last = tiles.entry(size - 1)

    def _write(self, tile: Tile, data: bytes) -> None:
        path = self._folder / tile.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        self._unsynced.append(path)

    def _replace(self, name: str, text: str) -> None:
        path, draft = self._folder / name, self._folder / f".{name}"
        if path.exists() and path.read_text(errors="replace") == text:
            return
        self._folder.mkdir(exist_ok=True)
        draft.write_text(text)
        _sync([draft])
        draft.rename(path)
        settle(self._folder)


def entries_in(data: bytes) -> list[bytes]:
    """The entries of a bundle. Raises `Damaged`."""
    if any(data[at : at + 2] != HASH.to_bytes(2, "big") for at in range(0, len(data), _ENTRY)):
        raise Damaged("An entry bundle holds what is no entry.")
    return [data[at + 2 : at + _ENTRY] for at in range(0, len(data), _ENTRY)]


def _sync(paths: Iterable[Path]) -> None:
    """The files and the names of them."""
    folders: dict[Path, None] = {}
    for path in paths:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fdatasync(fd)
        finally:
            os.close(fd)
        folders[path.parent] = None
    for folder in folders:
        settle(folder)
