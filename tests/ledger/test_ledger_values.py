"""What a record keeps of a call: AU-01, AU-02, and GDPR Art. 5 and 17 against an append-only log."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_support import build, record, sign
from typer.testing import CliRunner

from toolgate.cli import app
from toolgate.errors import Refusal
from toolgate.ledger import values
from toolgate.ledger.chain import encode
from toolgate.ledger.digest import Digest, load_key
from toolgate.ledger.inbox import waiting
from toolgate.ledger.recover import recover
from toolgate.ledger.show import read
from toolgate.ledger.subjects import Subjects, destroy, secret_in
from toolgate.ledger.tail import Tail
from toolgate.ledger.verify import verify

DIGEST = Digest(b"k" * 32).of
ARGUMENTS = {"account": "DE89 3704", "amount": 12.5, "urgent": True, "note": None, "tags": ["a", {"deep": 1}]}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


class Clock:
    now = 1_795_600_800.0  # 2026-11-25

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def subjects(tmp_path, clock):
    return Subjects(tmp_path / "subjects", b"n" * 32, clock)


def plain(one) -> dict:
    return json.loads(msgspec.json.encode(one))


def sealed(subjects, arguments=ARGUMENTS, user="alice", number=1):
    sealing = values.Sealing(DIGEST, subjects)
    one = record(number, user=user, principal=f"https://login|{user}", client_ip="192.0.2.1")
    sealing.who(one)
    sealing.describe(one, arguments)
    return one


def test_nothing_keeps_nothing():
    one = record()
    values.nothing(one, ARGUMENTS)
    assert (one.arguments, one.arguments_digest) == (None, None)


def test_redacted_keeps_names_kinds_and_what_is_revealed():
    one = record()
    values.redacted(DIGEST, ["amount"])(one, ARGUMENTS)
    assert one.arguments == {
        "account": "string of 9",
        "amount": 12.5,
        "urgent": "boolean",
        "note": "null",
        "tags": ["string of 1", {"deep": "number"}],
    }
    assert one.arguments_digest == DIGEST(ARGUMENTS)


@given(arguments=json_values)
def test_no_value_survives_redaction(arguments):
    one = record()
    values.redacted(DIGEST, [])(one, {"secret": "hunter2", "more": arguments, "list": ["hunter2"]})
    assert "hunter2" not in json.dumps(one.arguments)


def test_redaction_of_deep_arguments_ends():
    deep: dict = {}
    for _ in range(200):
        deep = {"down": deep}
    one = record()
    values.redacted(DIGEST, [])(one, deep)
    assert json.dumps(one.arguments).count("down") == 16


@given(arguments=json_values)
def test_what_was_sealed_is_opened_with_the_key_and_only_in_its_record(arguments, tmp_path_factory):
    folder = tmp_path_factory.mktemp("subjects")
    one = plain(sealed(Subjects(folder, b"n" * 32), {"value": arguments}))
    opened = values.unsealed(one, secret_in(folder))
    assert opened["arguments"] == {"value": arguments}
    assert (opened["user"], opened["principal"], opened["client_ip"]) == (
        "alice",
        "https://login|alice",
        "192.0.2.1",
    )
    with pytest.raises(ValueError, match="does not fit this record"):
        values.unsealed({**one, "id": "call-2"}, secret_in(folder))


def test_in_clear_stands_a_pseudonym_the_same_for_the_same_person(subjects):
    first, again, other = sealed(subjects), sealed(subjects), sealed(subjects, user="bob")
    text = json.dumps(plain(first))
    for secret in ("alice", "DE89", "192.0.2.1", "login"):
        assert secret not in text
    assert first.user == again.user == first.principal != other.user
    assert first.user.startswith("~")
    assert first.sealed != again.sealed
    assert first.arguments_digest == again.arguments_digest


def test_each_month_has_a_key_of_its_own(subjects, clock):
    first = sealed(subjects).sealed.partition(".")[0]
    clock.now += 30 * 86_400
    second = sealed(subjects).sealed.partition(".")[0]
    assert (first[-9:-2], second[-9:-2]) == ("2026-11", "2026-12")


def test_a_person_is_erased_and_the_next_record_has_another_key(subjects, clock, tmp_path):
    one, other = plain(sealed(subjects)), plain(sealed(subjects, user="bob"))
    assert destroy(tmp_path / "subjects", b"n" * 32, "alice") == 1
    assert destroy(tmp_path / "subjects", b"n" * 32, "alice") == 0
    opened = values.unsealed(one, secret_in(tmp_path / "subjects"))
    assert "arguments" not in opened
    assert opened["user"].startswith("~")
    assert values.unsealed(other, secret_in(tmp_path / "subjects"))["arguments"] == ARGUMENTS
    clock.now += 31  # A running gateway looks again after 30 s.
    later = plain(sealed(subjects))
    assert values.unsealed(later, secret_in(tmp_path / "subjects"))["arguments"] == ARGUMENTS
    assert "arguments" not in values.unsealed(one, secret_in(tmp_path / "subjects"))


def test_a_destroyed_key_leaves_nothing_of_it(subjects, tmp_path):
    key = subjects.key_named(subjects.name_of("alice"))
    destroy(tmp_path / "subjects", b"n" * 32, "alice")
    (left,) = (tmp_path / "subjects").iterdir()
    assert left.suffix == ".destroyed"
    assert left.read_bytes() == b""
    assert key.secret.hex() not in left.read_text()


def test_without_a_key_to_seal_with_nothing_is_answered(subjects, tmp_path):
    (tmp_path / "subjects").rmdir()
    (tmp_path / "subjects").write_text("in the way")
    with pytest.raises(Refusal, match="no key to seal with"):
        sealed(subjects)


@pytest.fixture
def ledger(tmp_path):
    """Two sealed records, in a chain that is signed."""
    folder = build(tmp_path / "ledger", 1)
    subjects = Subjects(folder / "subjects", load_key(folder))
    tail = Tail(recover(folder), 1 << 20)
    tail.write(
        [encode(sealed(subjects, user=user, number=n)) for n, user in ((2, "alice"), (3, "bob"))],
        durable=False,
    )
    tail.close()
    sign(folder)
    return folder


def run(*arguments):
    return CliRunner().invoke(app, ["ledger", *map(str, arguments)])


def shown(folder, *options) -> list[dict]:
    return [json.loads(line) for line in run("show", folder, "--json", *options).output.splitlines()]


def test_the_commands_open_and_erase_and_the_chain_stays_whole(ledger):
    assert [one.get("user", "")[:1] for one in shown(ledger)] == ["", "~", "~"]
    assert [one.get("user") for one in shown(ledger, "--unseal")] == [None, "alice", "bob"]
    erased = run("erase", ledger, "--person", "alice")
    assert erased.output.startswith("1 keys destroyed; records of ~")
    after = shown(ledger, "--unseal")
    assert (after[1]["user"][:1], "arguments" in after[1]) == ("~", False)
    assert (after[2]["user"], after[2]["arguments"]) == ("bob", ARGUMENTS)
    assert verify(ledger).ok
    again = run("erase", ledger, "--person", "alice")
    assert (again.exit_code, "no key of this person" in again.output) == (1, True)


def test_reading_and_erasing_leave_a_note_for_the_record(ledger):
    """PCI DSS 10.2.1.3: access to the audit is audited."""
    run("show", ledger, "--last", 1)
    run("show", ledger, "--unseal")
    run("erase", ledger, "--person", "bob")
    notes = [note for _, note in waiting(ledger)]
    assert [note.method for note in notes] == ["ledger/read", "ledger/read", "ledger/erased"]
    assert [note.arguments.get("records") for note in notes[:2]] == [1, 3]
    assert notes[1].arguments["unsealed"]
    assert notes[0].arguments["by"]
    assert "bob" not in notes[2].detail


def test_a_copy_that_cannot_be_written_can_be_read(ledger, monkeypatch):
    (ledger / "inbox").write_text("in the way")
    assert len(shown(ledger)) == 3
    assert len(list(read(ledger))) == 3
