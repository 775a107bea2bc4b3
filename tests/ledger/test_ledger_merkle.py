"""RFC 6962 against its own recursive definition, written down as it stands there."""

import contextlib
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolgate.ledger import merkle


def mth(leaves: list[bytes]) -> bytes:
    """RFC 6962, section 2.1."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\0" + leaves[0]).digest()
    k = split(len(leaves))
    return sha256(b"\1" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def path(m: int, leaves: list[bytes]) -> list[bytes]:
    """RFC 6962, section 2.1.1."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if m < k:
        return [*path(m, leaves[:k]), mth(leaves[k:])]
    return [*path(m - k, leaves[k:]), mth(leaves[:k])]


def growth(m: int, leaves: list[bytes], whole: bool = True) -> list[bytes]:
    """RFC 6962, section 2.1.2."""
    if m == len(leaves):
        return [] if whole else [mth(leaves)]
    k = split(len(leaves))
    if m <= k:
        return [*growth(m, leaves[:k], whole), mth(leaves[k:])]
    return [*growth(m - k, leaves[k:], False), mth(leaves[:k])]


def split(n: int) -> int:
    return max(k for k in (1 << bit for bit in range(20)) if k < n)


LEAVES = [f"record {number}".encode() for number in range(200)]


def node(level: int, index: int) -> bytes:
    return mth(LEAVES[index << level : (index + 1) << level])


sizes = st.integers(1, 200)


@pytest.mark.parametrize("size", range(66))
def test_the_root_is_the_one_of_the_definition(size):
    assert merkle.root(size, node) == mth(LEAVES[:size])


@given(size=sizes, data=st.data())
def test_inclusion_is_proved_as_defined_and_leads_to_the_root(size, data):
    index = data.draw(st.integers(0, size - 1))
    proof = merkle.inclusion(index, size, node)
    assert proof == path(index, LEAVES[:size])
    leaf = merkle.leaf_hash(LEAVES[index])
    assert merkle.root_by_inclusion(leaf, index, size, proof) == mth(LEAVES[:size])


@given(size=sizes, data=st.data())
def test_growth_is_proved_as_defined_and_checked(size, data):
    old = data.draw(st.integers(1, size))
    proof = merkle.consistency(old, size, node)
    assert proof == growth(old, LEAVES[:size])
    assert merkle.check_consistency(old, mth(LEAVES[:old]), size, mth(LEAVES[:size]), proof)


@given(size=sizes, data=st.data())
def test_no_changed_proof_of_inclusion_leads_to_the_root(size, data):
    index = data.draw(st.integers(0, size - 1))
    proof = merkle.inclusion(index, size, node)
    leaf, root = merkle.leaf_hash(LEAVES[index]), mth(LEAVES[:size])
    changed = data.draw(changes(proof))
    other = data.draw(st.integers(0, size - 1)) if changed == proof else index
    if (changed, other) == (proof, index):
        return
    with contextlib.suppress(ValueError):
        assert merkle.root_by_inclusion(leaf, other, size, changed) != root


@given(size=sizes, data=st.data())
def test_no_changed_proof_of_growth_is_accepted(size, data):
    old = data.draw(st.integers(1, size))
    proof = merkle.consistency(old, size, node)
    changed = data.draw(changes(proof))
    if changed != proof:
        assert not merkle.check_consistency(old, mth(LEAVES[:old]), size, mth(LEAVES[:size]), changed)


@given(size=st.integers(2, 200), data=st.data())
def test_no_other_former_tree_is_accepted(size, data):
    old = data.draw(st.integers(1, size))
    proof = merkle.consistency(old, size, node)
    assert not merkle.check_consistency(old, mth(LEAVES[1 : old + 1]), size, mth(LEAVES[:size]), proof)


def test_the_empty_tree_grows_into_any_other():
    assert merkle.check_consistency(0, merkle.EMPTY, 3, mth(LEAVES[:3]), [])
    assert not merkle.check_consistency(0, mth(LEAVES[:1]), 3, mth(LEAVES[:3]), [])
    assert not merkle.check_consistency(4, mth(LEAVES[:4]), 3, mth(LEAVES[:3]), [])


def test_there_is_no_proof_for_a_leaf_beyond_the_tree():
    with pytest.raises(ValueError, match="no leaf 3"):
        merkle.root_by_inclusion(merkle.leaf_hash(b""), 3, 3, [])


@st.composite
def changes(draw, proof):
    """One hash changed, dropped, doubled, added, or two swapped."""
    changed = list(proof)
    match draw(st.sampled_from(["change", "drop", "double", "add", "swap"])):
        case "change" if changed:
            at = draw(st.integers(0, len(changed) - 1))
            changed[at] = bytes([changed[at][0] ^ draw(st.integers(1, 255))]) + changed[at][1:]
        case "drop" if changed:
            del changed[draw(st.integers(0, len(changed) - 1))]
        case "double" if changed:
            at = draw(st.integers(0, len(changed) - 1))
            changed.insert(at, changed[at])
        case "add":
            changed.insert(draw(st.integers(0, len(changed))), sha256(b"x").digest())
        case "swap" if len(changed) > 1:
            changed[0], changed[-1] = changed[-1], changed[0]
    return changed
