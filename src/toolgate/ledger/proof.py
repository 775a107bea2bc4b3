"""Proofs that leave the house as text: of one record (C2SP tlog-proof) and of growth (as tlog-witness takes it)."""

import base64
import re
from hashlib import sha256
from pathlib import Path

from msgspec import Struct

from toolgate.ledger import merkle
from toolgate.ledger.chain import Head, parse
from toolgate.ledger.follow import Follower, Gone
from toolgate.ledger.note import Checkpoint, Unsigned, VerifierKey, unchecked
from toolgate.ledger.segments import TREE, forward, segments
from toolgate.ledger.tree import Damaged, Tiles, read_note

_HEADER = "c2sp.org/tlog-proof@v1"
_FORM = re.compile(
    rf"{re.escape(_HEADER)}\n(?:extra [^\n]*\n)?index (0|[1-9]\d{{0,18}})\n((?:[^\n]+\n)*)\n(.+)", re.DOTALL
)
MAX_PROOF = 128 * 1024


class Unproved(Exception):
    """What was to be proved is not so, or cannot be proved here. Its text is a plain sentence."""


class Proved(Struct, frozen=True):
    """A record that is in a signed tree."""

    seq: int
    checkpoint: Checkpoint


def find(folder: Path, name: str) -> bytes:
    """The line of a record, by its number or its id. Raises `Unproved` where there is none, and `OSError`."""
    line = _numbered(folder, int(name)) if name.isdecimal() else _named(folder, name)
    if line is None:
        raise Unproved(f"There is no record {name} in this ledger.")
    return line


def prove(folder: Path, line: bytes) -> str:
    """The tlog-proof of a line of the ledger in `folder`. Raises `Unproved` and `OSError`."""
    claim = parse(line)
    if claim is None:
        raise Unproved("This line of the ledger is damaged.")
    note, checkpoint = _published(folder)
    if claim.head.seq > checkpoint.size:
        raise Unproved(
            f"Record {claim.head.seq} is newer than the last checkpoint, which covers {checkpoint.size}."
        )
    index = claim.head.seq - 1
    tiles = Tiles(folder / TREE, checkpoint.size)
    try:
        hashes = merkle.inclusion(index, checkpoint.size, tiles.node)
    except Damaged as problem:
        raise Unproved(f"The tree is damaged: {problem}") from problem
    proof = f"{_HEADER}\nindex {index}\n{_lines(hashes)}\n{note}"
    _checked(proof, line, None)
    return proof


def prove_growth(folder: Path, noted: str) -> str:
    """That the tree of now continues the one of a checkpoint noted earlier: the body a witness is sent.

    Raises `Unproved` and `OSError`.
    """
    old = _read(noted)
    note, checkpoint = _published(folder)
    if old.size > checkpoint.size:
        raise Unproved(
            f"The checkpoint noted covers {old.size} records, the ledger's only {checkpoint.size}."
        )
    tiles = Tiles(folder / TREE, checkpoint.size)
    try:
        hashes = merkle.consistency(old.size, checkpoint.size, tiles.node) if old.size else []
    except Damaged as problem:
        raise Unproved(f"The tree is damaged: {problem}") from problem
    if not merkle.check_consistency(old.size, old.root, checkpoint.size, checkpoint.root, hashes):
        raise Unproved("The ledger does not continue the checkpoint noted: what it covers was changed.")
    return f"old {old.size}\n{_lines(hashes)}\n{note}"


def check(proof: str, line: bytes, key: VerifierKey) -> Proved:
    """What a tlog-proof shows of a line, believing nothing but `key`. Raises `Unproved`."""
    return _checked(proof, line, key)


def _numbered(folder: Path, seq: int) -> bytes | None:
    follower = Follower(folder, seq - 1)
    try:
        return follower.read(seq)[0] if seq else None
    except Gone:
        return None
    finally:
        follower.close()


def _named(folder: Path, record: str) -> bytes | None:
    wanted = b'"record":{"id":"%b"' % record.encode()
    for segment in segments(folder):
        for line in forward(segment.path):
            if wanted in line and parse(line) is not None:
                return line
    return None


def _checked(proof: str, line: bytes, key: VerifierKey | None) -> Proved:
    match = _FORM.fullmatch(proof)
    claim = parse(line)
    if match is None:
        raise Unproved("This is no tlog-proof.")
    if claim is None:
        raise Unproved("This is no line of a ledger.")
    index, note = int(match[1]), match[3]
    try:
        checkpoint = key.checkpoint(note) if key else _read(note)
        hashes = [base64.b64decode(text, validate=True) for text in match[2].split()]
        body = line[: line.rindex(b',"hash":"')]
        entry = sha256(body).digest()
        root = merkle.root_by_inclusion(merkle.leaf_hash(entry), index, checkpoint.size, hashes)
    except Unsigned as problem:
        raise Unproved(f"The checkpoint is not to be believed: {problem}.") from problem
    except ValueError as problem:
        raise Unproved(f"This proves nothing: {problem}.") from problem
    if root != checkpoint.root or claim.head != Head(index + 1, entry.hex()):
        raise Unproved("The record is not the one that was signed for this place.")
    return Proved(claim.head.seq, checkpoint)


def _published(folder: Path) -> tuple[str, Checkpoint]:
    note = read_note(folder / TREE)
    if note is None:
        raise Unproved("This ledger has no checkpoint: no gateway has signed it yet.")
    return note, _read(note)


def _read(note: str) -> Checkpoint:
    try:
        return unchecked(note)
    except Unsigned as problem:
        raise Unproved(f"This is no checkpoint: {problem}.") from problem


def _lines(hashes: list[bytes]) -> str:
    return "".join(base64.b64encode(one).decode() + "\n" for one in hashes)
