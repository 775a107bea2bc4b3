"""How a Merkle tree is laid out in tiles (C2SP tlog-tiles): 256 hashes a file, eight levels a step. Pure.

`Tiling` turns a row of leaf hashes into the tiles they make. Who writes the log keeps its tiles; who
verifies it makes them again and compares.
"""

from collections.abc import Iterator

from msgspec import Struct

from toolgate.ledger.merkle import complete, leaf_hash

WIDTH = 256
HASH = 32
ENTRIES = -1
"""The level of entry bundles, which stand beside the hashes of level 0."""


class Tile(Struct, frozen=True):
    """One file of the layout."""

    level: int
    """From 0; `ENTRIES` for what the leaves were hashed from."""
    index: int
    width: int
    """Hashes, or entries, in it: `WIDTH`, or less at the right edge."""

    @property
    def path(self) -> str:
        """Where it is, below the folder of the tree."""
        level = "entries" if self.level == ENTRIES else str(self.level)
        edge = "" if self.width == WIDTH else f".p/{self.width}"
        return f"tile/{level}/{_number(self.index)}{edge}"


class Tiling:
    """The right edge of a growing tree."""

    def __init__(self) -> None:
        self.size = 0
        self.entries: list[bytes] = []
        """Those of the last, unfinished bundle."""
        self.levels: list[list[bytes]] = [[]]
        """The unfinished tile of each level."""

    def add(self, entry: bytes) -> Iterator[tuple[Tile, bytes]]:
        """One more entry; yields the tiles it finishes."""
        self.size += 1
        self.entries.append(entry)
        self.levels[0].append(leaf_hash(entry))
        if self.size % WIDTH:
            return
        index = self.size // WIDTH - 1
        yield Tile(ENTRIES, index, WIDTH), bundle(self.entries)
        self.entries = []
        for level, hashes in enumerate(self.levels):
            if len(hashes) < WIDTH:
                break
            yield Tile(level, index >> (8 * level), WIDTH), b"".join(hashes)
            if level + 1 == len(self.levels):
                self.levels.append([])
            self.levels[level + 1].append(complete(hashes))
            self.levels[level] = []

    def edge(self) -> Iterator[tuple[Tile, bytes]]:
        """The unfinished tiles as they are now."""
        for tile in edge_of(self.size):
            data = bundle(self.entries) if tile.level == ENTRIES else b"".join(self.levels[tile.level])
            yield tile, data

    def node(self, level: int, index: int) -> bytes:
        """What `merkle.root(self.size, …)` asks for: all of it lies in the unfinished tiles."""
        step, within = divmod(level, 8)
        start = (index << within) % WIDTH
        return complete(self.levels[step][start : start + (1 << within)])


def edge_of(size: int) -> list[Tile]:
    """The unfinished tiles of a tree of `size` leaves; where there are no entries left over, no bundle."""
    tiles = []
    if size % WIDTH:
        tiles.append(Tile(ENTRIES, size // WIDTH, size % WIDTH))
    level, rest = 0, size
    while rest:
        if rest % WIDTH:
            tiles.append(Tile(level, rest // WIDTH, rest % WIDTH))
        level, rest = level + 1, rest // WIDTH
    return tiles


def tile_of(level: int, index: int, size: int) -> Tile:
    """Tile `index` of `level` as a tree of `size` leaves has it."""
    width = (size >> (8 * max(level, 0))) - index * WIDTH
    return Tile(level, index, min(width, WIDTH))


def bundle(entries: list[bytes]) -> bytes:
    """The entry bundle of these entries."""
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def _number(index: int) -> str:
    groups = [f"{index % 1000:03d}"]
    while index := index // 1000:
        groups.append(f"x{index % 1000:03d}")
    return "/".join(reversed(groups))
