"""AU-07: whatever is edited, cut, swapped or replayed in a ledger is found by who noted its key and checkpoint.

`make proofs` does it 10,000 times.
"""

import os
import random
from pathlib import Path

import pytest
from ledger_support import build, build_with_torn_line, sign

from toolgate.ledger.chain import Head, link, record_of
from toolgate.ledger.note import unchecked
from toolgate.ledger.tiles import edge_of
from toolgate.ledger.tree import read_note
from toolgate.ledger.verify import verify

COUNT = int(os.environ.get("TOOLGATE_TAMPERINGS", "400"))
UNREAD = {"lock", "verifier.key", "signing.key"}
"""What the check of an auditor with a key of his own does not look at."""

Contents = dict[str, bytes]
"""Every file of a ledger, by its place in the folder."""


@pytest.fixture(scope="module")
def before(tmp_path_factory) -> tuple[Path, Contents, Contents, Contents]:
    """A signed ledger, what it was when it was shorter, and another one."""
    base = tmp_path_factory.mktemp("tampering")
    folder = build_with_torn_line(base / "ledger")
    build(folder, 250, start=20, segment_bytes=20_000)
    sign(folder)
    shorter = contents(folder)
    build(folder, 60, start=400, segment_bytes=20_000)
    sign(folder)
    other = build(base / "other", 330, segment_bytes=20_000, user="mallory")
    sign(other)
    return folder, contents(folder), shorter, contents(other)


def test_every_tampering_is_found(before):
    folder, whole, shorter, other = before
    key = sign(folder).verifier
    noted = unchecked(read_note(folder / "tree"))
    assert verify(folder, key=key, checkpoints=[noted]).ok
    unnoticed = []
    for seed in range(COUNT):
        chance = random.Random(seed)
        act = chance.choice([edit, cut, swap, replay, forge])
        changed = act(chance, whole, shorter, other)
        put(folder, whole, changed)
        if verify(folder, key=key, checkpoints=[noted]).ok:
            unnoticed.append((seed, act.__name__))
        put(folder, changed, whole)
    assert unnoticed == []
    assert verify(folder, key=key, checkpoints=[noted]).ok


def edit(chance: random.Random, whole: Contents, *_: Contents) -> Contents:
    """Some bytes of one file are others."""
    name = chance.choice(sorted(whole))
    data = bytearray(whole[name])
    for _ in range(chance.choice([1, 1, 1, 2, 30])):
        data[chance.randrange(len(data))] ^= chance.randrange(1, 256)
    return differing(whole, {**whole, name: bytes(data)})


def cut(chance: random.Random, whole: Contents, *_: Contents) -> Contents:
    """Bytes, lines or a whole file are gone."""
    name = chance.choice(sorted(whole))
    data = whole[name]
    how = chance.randrange(4)
    if how == 0:
        return {other: data for other, data in whole.items() if other != name}
    if how == 1:
        return {**whole, name: data[: chance.randrange(len(data))]}
    if how == 2:
        return {**whole, name: data[chance.randrange(1, len(data) + 1) :]}
    name, lines = some_lines(chance, whole)
    at = chance.randrange(len(lines))
    return {**whole, name: b"".join(lines[:at] + lines[at + chance.randrange(1, 9) :])}


def swap(chance: random.Random, whole: Contents, *_: Contents) -> Contents:
    """Two lines, or two files, have changed places."""
    if chance.randrange(2):
        kind = chance.choice([".jsonl", "tree/tile/0/", "tree/tile/entries/"])
        first, second = chance.sample([name for name in sorted(whole) if kind in name], 2)
        return {**whole, first: whole[second], second: whole[first]}
    name, lines = some_lines(chance, whole)
    first, second = chance.sample(range(len(lines)), 2)
    lines[first], lines[second] = lines[second], lines[first]
    return {**whole, name: b"".join(lines)}


def replay(chance: random.Random, whole: Contents, shorter: Contents, other: Contents) -> Contents:
    """Something true stands where it does not belong: a line, a file of another time, or of another ledger."""
    how = chance.randrange(4)
    if how == 0:
        name, lines = some_lines(chance, whole)
        lines.insert(chance.randrange(len(lines) + 1), chance.choice(lines))
        return {**whole, name: b"".join(lines)}
    if how == 1:
        return shorter
    source = shorter if how == 2 else other
    shared = sorted(name for name in whole.keys() & source.keys() if whole[name] != source[name])
    names = chance.sample(shared, chance.randrange(1, len(shared) + 1))
    return {**whole, **{name: source[name] for name in names}}


def forge(chance: random.Random, whole: Contents, *_: Contents) -> Contents:
    """A record is another, and the chain was made anew behind it."""
    name, lines = some_lines(chance, whole)
    at = chance.randrange(len(lines))
    changed, head = dict(whole), None
    for other in sorted(one for one in whole if one.endswith(".jsonl") and one >= name):
        forged = []
        for number, line in enumerate(whole[other].splitlines(keepends=True)):
            if other == name and number < at:
                forged.append(line)
                continue
            if head is None:
                opening = line.partition(b',"record":')[0]
                head = Head(int(opening[7:].partition(b",")[0]) - 1, opening[-65:-1].decode())
                record = record_of(line).replace(b'"ts":"2026', b'"ts":"2025').replace(b"call-", b"cal1-")
            else:
                record = record_of(line)
            line, head = link(head, record)
            forged.append(line)
        changed[other] = b"".join(forged)
    return differing(whole, changed)


def some_lines(chance: random.Random, whole: Contents) -> tuple[str, list[bytes]]:
    names = [name for name in sorted(whole) if name.endswith(".jsonl") and whole[name].count(b"\n") > 2]
    name = chance.choice(names)
    return name, whole[name].splitlines(keepends=True)


def differing(whole: Contents, changed: Contents) -> Contents:
    assert whole != changed
    return changed


def contents(folder: Path) -> Contents:
    """Without the partial tiles of former checkpoints, which no proof needs any more."""
    size = unchecked(read_note(folder / "tree")).size
    edge = {f"tree/{tile.path}" for tile in edge_of(size)}
    return {
        name: path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in UNREAD
        if ".p/" not in (name := str(path.relative_to(folder))) or name in edge
    }


def put(folder: Path, former: Contents, wanted: Contents) -> None:
    for name in former.keys() - wanted.keys():
        (folder / name).unlink()
    for name, data in wanted.items():
        if former.get(name) != data:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
