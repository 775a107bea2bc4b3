import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_ledger_merkle import mth

from toolgate.ledger import merkle
from toolgate.ledger.note import SignerKey, Unsigned
from toolgate.ledger.tiles import ENTRIES, Tile, Tiling, edge_of
from toolgate.ledger.tree import Damaged, Tiles, Tree

SIGNER = SignerKey.new("test/log")


def entry(number: int) -> bytes:
    return number.to_bytes(32, "big")


def grown(folder: Path, *sizes: int) -> Tree:
    """A tree published at each of these sizes, by a fresh process each time."""
    for size in sizes:
        tree = Tree(folder, SIGNER)
        for number in range(tree.size, size):
            tree.add(entry(number))
        tree.publish()
    return tree


@pytest.mark.parametrize(
    ("index", "path"),
    [
        (0, "tile/0/000"),
        (999, "tile/0/999"),
        (1000, "tile/0/x001/000"),
        (1234067, "tile/0/x001/x234/067"),
    ],
)
def test_tiles_are_named_as_the_specification_says(index, path):
    assert Tile(0, index, 256).path == path
    assert Tile(0, index, 112).path == f"{path}.p/112"
    assert Tile(ENTRIES, 0, 256).path == "tile/entries/000"


def test_the_edge_of_70000_leaves_is_the_one_of_the_specification():
    """tlog-tiles, "Partial Tiles"."""
    assert [(tile.level, tile.index, tile.width) for tile in edge_of(70_000)] == [
        (ENTRIES, 273, 112),
        (0, 273, 112),
        (1, 1, 17),
        (2, 0, 1),
    ]
    assert [(tile.level, tile.index, tile.width) for tile in edge_of(256)] == [(1, 0, 1)]
    assert edge_of(0) == []


@given(size=st.integers(0, 1500))
@settings(max_examples=30, deadline=None)
def test_a_tiling_has_the_root_of_its_entries(size):
    tiling = Tiling()
    for number in range(size):
        list(tiling.add(entry(number)))
    assert merkle.root(size, tiling.node) == mth([entry(number) for number in range(size)])


def test_a_tree_two_levels_up_has_the_root_of_its_entries(tmp_path):
    """65,536 leaves fill a tile of level 1."""
    tree = grown(tmp_path / "tree", 66_000)
    tiles = Tiles(tmp_path / "tree", 66_000)
    assert tree.published is not None
    assert tiles.root(66_000) == tree.published.root
    for size in (1, 255, 256, 257, 65_535, 65_536, 65_537):
        assert tiles.root(size) == grown(tmp_path / f"tree-{size}", size).published.root
    leaf = merkle.leaf_hash(entry(40_000))
    proof = merkle.inclusion(40_000, 66_000, tiles.node)
    assert merkle.root_by_inclusion(leaf, 40_000, 66_000, proof) == tree.published.root


@given(sizes=st.lists(st.integers(0, 900), min_size=1, max_size=6))
@settings(max_examples=25, deadline=None)
def test_a_tree_grown_in_steps_is_the_tree_grown_at_once(sizes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tree")
    sizes = sorted(sizes)
    steps, once = grown(folder / "steps", *sizes), grown(folder / "once", sizes[-1])
    assert steps.published == once.published
    assert files(folder / "once").items() <= files(folder / "steps").items()
    shutil.rmtree(folder)


def test_partial_tiles_go_once_the_full_one_is_there(tmp_path):
    grown(tmp_path / "tree", 3, 200, 300)
    partial = sorted(path for path in files(tmp_path / "tree") if ".p/" in path)
    assert partial == ["tile/0/001.p/44", "tile/1/000.p/1", "tile/entries/001.p/44"]


def test_entries_are_served_beside_the_hashes(tmp_path):
    grown(tmp_path / "tree", 300)
    tiles = Tiles(tmp_path / "tree", 300)
    assert [tiles.entry(at) for at in (0, 255, 256, 299)] == [entry(at) for at in (0, 255, 256, 299)]


def test_a_checkpoint_of_another_key_is_not_continued(tmp_path):
    grown(tmp_path / "tree", 3)
    with pytest.raises(Unsigned):
        Tree(tmp_path / "tree", SignerKey.new("test/log"))


@pytest.mark.parametrize("size", [3, 256, 300])
def test_a_damaged_edge_is_not_continued(size, tmp_path):
    grown(tmp_path / "tree", size)
    for tile in edge_of(size):
        if tile.level == ENTRIES:
            continue
        path = tmp_path / "tree" / tile.path
        content = path.read_bytes()
        path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
        with pytest.raises(Damaged, match="root"):
            Tree(tmp_path / "tree", SIGNER)
        path.unlink()
        with pytest.raises(Damaged, match="missing"):
            Tree(tmp_path / "tree", SIGNER)
        path.write_bytes(content)
    Tree(tmp_path / "tree", SIGNER)


def test_a_publication_that_failed_changes_nothing(tmp_path):
    folder = tmp_path / "tree"
    tree = grown(folder, 5)
    before = (folder / "checkpoint").read_text()
    (folder / "tile/0/000.p/6").mkdir()
    tree.add(entry(5))
    with pytest.raises(OSError, match="directory"):
        tree.publish()
    assert (folder / "checkpoint").read_text() == before
    assert Tree(folder, SIGNER).size == 5


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
