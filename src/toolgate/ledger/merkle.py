"""RFC 6962 (and 9162) Merkle tree hashing and proofs, pure. Knows nothing of records, tiles or files.

A proof is computed from `Node`, a function that gives the hash of a complete subtree; who stores those
hashes, and how, is somebody else's matter. Verifying needs the proof and the two roots only.
"""

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256

Node = Callable[[int, int], bytes]
"""`node(level, index)`: the hash of the complete subtree over the leaves `index << level` and the
`1 << level` - 1 behind it."""

EMPTY = sha256(b"").digest()
"""The root of a tree without leaves."""


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf."""
    return sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash above two hashes."""
    return sha256(b"\1" + left + right).digest()


def complete(hashes: Sequence[bytes]) -> bytes:
    """The root above a power of two of hashes of one level."""
    level = hashes
    while len(level) > 1:
        level = [
            sha256(b"\1" + left + right).digest() for left, right in zip(level[::2], level[1::2], strict=True)
        ]
    return level[0]


def root(size: int, node: Node) -> bytes:
    """The root of the tree of the first `size` leaves."""
    return _over(0, size, node) if size else EMPTY


def inclusion(index: int, size: int, node: Node) -> list[bytes]:
    """The proof that leaf `index` is in the tree of `size` leaves: sibling first, child of the root last."""
    assert 0 <= index < size
    proof: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            proof.append(_over(middle, end, node))
            end = middle
        else:
            proof.append(_over(start, middle, node))
            start = middle
    return proof[::-1]


def consistency(old: int, size: int, node: Node) -> list[bytes]:
    """The proof that the tree of `size` leaves continues the tree of its first `old`."""
    assert 0 < old <= size
    proof: list[bytes] = []
    start, end, whole = 0, size, True
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            proof.append(_over(middle, end, node))
            end = middle
        else:
            proof.append(_over(start, middle, node))
            start, whole = middle, False
    if not whole:
        proof.append(_over(start, end, node))
    return proof[::-1]


def root_by_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """The root that `proof` leads to from the leaf's hash. Raises `ValueError` where it has not the right form.

    RFC 9162, section 2.1.3.2.
    """
    if not 0 <= index < size:
        raise ValueError(f"there is no leaf {index} in a tree of {size}")
    found, here, last = leaf, index, size - 1
    for sibling in proof:
        if last == 0:
            raise ValueError("the proof is too long")
        if here & 1 or here == last:
            found = node_hash(sibling, found)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        here, last = here >> 1, last >> 1
    if last:
        raise ValueError("the proof is too short")
    return found


def check_consistency(old: int, old_root: bytes, size: int, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether `proof` shows that the tree of `size` leaves continues that of `old`. RFC 9162, section 2.1.4.2."""
    if not 0 <= old <= size:
        return False
    if old == size:
        return not proof and old_root == new_root
    if old == 0:
        return not proof and old_root == EMPTY
    here, last = old - 1, size - 1
    while here & 1:
        here, last = here >> 1, last >> 1
    path = iter(proof)
    former = new = old_root if here == 0 else next(path, b"")
    for sibling in path:
        if last == 0:
            return False
        if here & 1 or here == last:
            former, new = node_hash(sibling, former), node_hash(sibling, new)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        here, last = here >> 1, last >> 1
    return last == 0 and former == old_root and new == new_root


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << ((size - 1).bit_length() - 1)


def _over(start: int, end: int, node: Node) -> bytes:
    """The hash over leaves `start` to `end`, where `start` is where the tree itself would split."""
    pieces = list(_pieces(start, end))
    found = node(*pieces[-1])
    for piece in reversed(pieces[:-1]):
        found = node_hash(node(*piece), found)
    return found


def _pieces(start: int, end: int) -> Iterator[tuple[int, int]]:
    """The complete subtrees that make up a range, left to right, each as large as it can be."""
    while start < end:
        level = (end - start).bit_length() - 1
        yield level, start >> level
        start += 1 << level
