"""C2SP signed-note and tlog-checkpoint."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolgate.ledger.note import Checkpoint, SignerKey, Unsigned, VerifierKey

# The example in the documentation of Go's package sumdb/note: not made by us.
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETERS_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)

SIGNER = SignerKey.new("tools.example.com/ledger")
CHECKPOINT = Checkpoint("tools.example.com/ledger", 4711, bytes(range(32)))
NOTE = SIGNER.sign(CHECKPOINT.text)


def test_a_note_signed_by_the_go_implementation_is_believed():
    assert VerifierKey.parse(PETER).open(PETERS_NOTE) == PETERS_NOTE.partition("\n\n")[0] + "\n"
    assert str(VerifierKey.parse(PETER)) == PETER


def test_what_we_sign_we_believe():
    key = VerifierKey.parse(str(SIGNER.verifier))
    assert key.checkpoint(NOTE) == CHECKPOINT
    assert SignerKey.parse(SIGNER.secret()).sign(CHECKPOINT.text) == NOTE


def test_signatures_of_strangers_are_ignored():
    """signed-note: verifiers MUST ignore signatures from unknown keys; witnesses add theirs."""
    witness = SignerKey.new("witness.example")
    added = NOTE + witness.sign(CHECKPOINT.text).rpartition("\n\n")[2]
    assert SIGNER.verifier.checkpoint(added) == CHECKPOINT
    assert witness.verifier.open(added) == CHECKPOINT.text


@pytest.mark.parametrize("other", [SignerKey.new("tools.example.com/ledger"), SignerKey.new("elsewhere")])
def test_another_key_is_not_enough_even_of_the_same_name(other):
    with pytest.raises(Unsigned, match="not signed by"):
        other.verifier.checkpoint(NOTE)


def test_a_checkpoint_of_another_log_is_refused_though_our_key_signed_it():
    note = SIGNER.sign(Checkpoint("elsewhere", 1, bytes(32)).text)
    with pytest.raises(Unsigned, match="another log"):
        SIGNER.verifier.checkpoint(note)


@given(data=st.data())
def test_any_changed_character_is_found(data):
    at = data.draw(st.integers(0, len(NOTE) - 1))
    char = data.draw(st.characters(codec="utf-8"))
    changed = NOTE[:at] + char + NOTE[at + 1 :]
    if changed != NOTE:
        with pytest.raises(Unsigned):
            SIGNER.verifier.checkpoint(changed)


@given(st.text())
def test_no_text_makes_more_than_a_refusal(text):
    with pytest.raises(Unsigned):
        SIGNER.verifier.checkpoint(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name",
        "name+00000000+AQ==",
        PETER.replace("c74f20a3", "c74f20a4"),
        PETER.replace("PeterNeumann", "Peter Neumann"),
        PETER.replace("+ARpc", "+Arpc"),
        PETER[:-4],
    ],
)
def test_a_text_that_is_no_key_is_refused(text):
    with pytest.raises(ValueError, match="key"):
        VerifierKey.parse(text)


def test_a_broken_signing_key_is_refused_without_being_repeated():
    secret = SIGNER.secret()
    # The key itself may hold a plus.
    raw = base64.b64decode(secret.split("+", 4)[4] + "==")
    for text in (secret[:-8], secret.replace("tools", "fools"), secret.removeprefix("PRIVATE+KEY+")):
        with pytest.raises(ValueError) as refusal:  # noqa: PT011
            SignerKey.parse(text)
        assert raw[5:].hex() not in str(refusal.value)
        assert secret[-20:] not in str(refusal.value)


@pytest.mark.parametrize("name", ["", "two words", "a+b", "x" * 201, "line\n"])
def test_a_name_no_key_can_have_is_refused(name):
    with pytest.raises(ValueError, match="name"):
        SignerKey.new(name)
