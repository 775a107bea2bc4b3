import base64
import os
import string
import struct
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import example, given, settings
from hypothesis import strategies as st

from toolgate.protocol.seal import MAX_PAYLOAD, MAX_TEXT, KeyRing

NOW = 1_800_000_000.0
RING = KeyRing([bytes(range(32))])
SEALED = RING.seal(b"payload", purpose="session", bound_to="alice", expires=NOW + 60)


def opened(text: str, ring: KeyRing = RING, *, purpose="session", bound_to="alice", now=NOW) -> bytes | None:
    return ring.open(text, purpose=purpose, bound_to=bound_to, now=now)


@given(st.binary(max_size=MAX_PAYLOAD), st.text(), st.text())
@example(b"", "", "")
@example(b"x" * MAX_PAYLOAD, "session", "alice")
def test_what_was_sealed_opens(payload, purpose, bound_to):
    text = RING.seal(payload, purpose=purpose, bound_to=bound_to, expires=NOW + 1)
    assert opened(text, purpose=purpose, bound_to=bound_to) == payload
    assert len(text) <= MAX_TEXT
    assert set(text) <= set(string.ascii_letters + string.digits + "-_")


def test_the_same_payload_never_looks_the_same_twice():
    texts = {RING.seal(b"x", purpose="p", bound_to="b", expires=NOW) for _ in range(100)}
    assert len(texts) == 100


@pytest.mark.parametrize(
    "other",
    [
        {"purpose": "cursor"},
        {"bound_to": "bob"},
        {"purpose": "sessiona", "bound_to": "lice"},
        {"purpose": "", "bound_to": ""},
    ],
    ids=str,
)
def test_it_opens_only_for_its_purpose_and_its_owner(other):
    """Anchor A1. The two are told apart even where they read the same end to end."""
    assert opened(SEALED, **other) is None


def test_it_opens_until_it_expires():
    assert opened(SEALED, now=NOW + 59.999) == b"payload"
    assert opened(SEALED, now=NOW + 60) is None


@pytest.mark.parametrize("expires", [float("nan"), float("-inf"), -1.0])
def test_an_expiry_that_is_none_counts_as_past(expires):
    assert opened(RING.seal(b"x", purpose="session", bound_to="alice", expires=expires)) is None


def test_the_first_key_seals_and_all_keys_open():
    """Rotation: add the new key behind, then move it to the front, then drop the old one."""
    old, new = os.urandom(32), os.urandom(32)
    before, between, after, done = KeyRing([old]), KeyRing([old, new]), KeyRing([new, old]), KeyRing([new])
    by_old = between.seal(b"x", purpose="session", bound_to="alice", expires=NOW + 1)
    by_new = after.seal(b"y", purpose="session", bound_to="alice", expires=NOW + 1)
    assert [opened(by_old, ring) for ring in (before, between, after, done)] == [b"x", b"x", b"x", None]
    assert [opened(by_new, ring) for ring in (before, between, after, done)] == [None, b"y", b"y", b"y"]


@settings(max_examples=500)
@given(st.integers(0, len(SEALED) - 1), st.characters())
@example(len(SEALED) - 1, "A")
@example(0, "=")
def test_any_changed_character_makes_it_worthless(place, character):
    changed = SEALED[:place] + character + SEALED[place + 1 :]
    assert (opened(changed) == b"payload") == (changed == SEALED)
    assert opened(changed) in (None, b"payload")


def test_every_single_character_counts():
    """All of the alphabet in all places, the spare bits of the last one too."""
    alphabet = string.ascii_letters + string.digits + "-_+/= \n"
    changed = [
        SEALED[:place] + character + SEALED[place + 1 :]
        for place in range(len(SEALED))
        for character in alphabet
        if character != SEALED[place]
    ]
    assert all(opened(text) is None for text in changed)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_spare_bits_of_base64_are_no_second_spelling(size):
    text = RING.seal(b"x" * size, purpose="session", bound_to="alice", expires=NOW + 1)
    alphabet = string.ascii_letters + string.digits + "-_"
    assert [last for last in alphabet if opened(text[:-1] + last)] == [text[-1]]


@given(st.text() | st.text(string.ascii_letters + string.digits + "-_"))
@example("")
@example("\ud800")
@example(SEALED + "=")
@example(SEALED + "\n")
@example(" " + SEALED)
@example(SEALED[:10] + "\n" + SEALED[10:])
@example(SEALED.replace("-", "+").replace("_", "/") + "=")
@example(SEALED[:21])
@example(SEALED[:-4])
@example(SEALED + "AAAA")
@example("A" * (MAX_TEXT + 1))
def test_any_other_text_opens_to_nothing(text):
    assert opened(text) is None


def test_every_beginning_of_a_sealed_string_opens_to_nothing():
    raw = base64.urlsafe_b64decode(SEALED + "==")
    for size in range(len(raw)):
        assert opened(base64.urlsafe_b64encode(raw[:size]).rstrip(b"=").decode()) is None


def by_hand(payload: bytes) -> str:
    """Sealed without `seal`, from the description of the format alone."""
    head = sha256(b"toolgate seal key id\x00" + bytes(range(32))).digest()[:4]
    plain = struct.pack(">d", NOW + 60) + payload
    context = struct.pack(">I", len("session")) + b"session" + b"alice"
    sealed = AESGCM(bytes(range(32))).encrypt(bytes(12), plain, context)
    return base64.urlsafe_b64encode(head + bytes(12) + sealed).rstrip(b"=").decode()


def test_the_format_is_key_id_nonce_and_expiry_with_payload():
    """What stands between two releases that share a key."""
    assert opened(by_hand(b"payload")) == b"payload"


def test_a_text_over_the_limit_is_not_even_tried():
    assert opened(by_hand(b"x" * (MAX_PAYLOAD + 1))) is None


def test_a_payload_that_would_not_open_again_is_not_sealed():
    with pytest.raises(ValueError, match="at most"):
        RING.seal(b"x" * (MAX_PAYLOAD + 1), purpose="p", bound_to="b", expires=NOW)


@pytest.mark.parametrize("keys", [[], [b"short"], [bytes(32), bytes(16)], [bytes(32), bytes(32)]], ids=len)
def test_an_unusable_ring_is_not_made(keys):
    with pytest.raises(ValueError, match="key"):
        KeyRing(keys)


def test_a_ring_does_not_show_its_keys():
    key = os.urandom(32)
    assert key.hex() not in repr(vars(KeyRing([key])))
    assert repr(key) not in repr(vars(KeyRing([key])))
