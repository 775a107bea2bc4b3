import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_support import build, lines, sign
from typer.testing import CliRunner

from toolgate.cli import app
from toolgate.ledger.proof import Unproved, check, find, prove, prove_growth
from toolgate.ledger.tree import read_note
from toolgate.ledger.verify import verify


@pytest.fixture(scope="module")
def signed(tmp_path_factory):
    folder = build(tmp_path_factory.mktemp("proof") / "ledger", 700, segment_bytes=20_000)
    return folder, sign(folder).verifier


@given(seq=st.integers(1, 700))
@settings(max_examples=60, deadline=None)
def test_every_record_can_be_proved_without_the_ledger(signed, seq):
    folder, key = signed
    line = find(folder, str(seq))
    proof = prove(folder, line)
    proved = check(proof, line, key)
    assert (proved.seq, proved.checkpoint.size) == (seq, 700)
    assert len(proof.encode()) < 2048
    assert proof.startswith("c2sp.org/tlog-proof@v1\nindex ")


def test_a_record_is_found_by_its_id_too(signed):
    folder, _ = signed
    assert find(folder, "call-321") == lines(folder)[320]


@pytest.mark.parametrize("name", ["0", "701", "99999999999999999999", "call-0", "call-"])
def test_a_record_that_is_not_there_cannot_be_proved(signed, name):
    with pytest.raises(Unproved, match="no record"):
        find(signed[0], name)


def test_a_proof_shows_nothing_of_another_record(signed):
    folder, key = signed
    first, second = lines(folder)[10:12]
    with pytest.raises(Unproved, match="not the one"):
        check(prove(folder, first), second, key)


@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_a_changed_line_is_not_proved(signed, data):
    folder, key = signed
    line = lines(folder)[345]
    at = data.draw(st.integers(0, len(line) - 1))
    changed = line[:at] + bytes([line[at] ^ data.draw(st.integers(1, 255))]) + line[at + 1 :]
    with pytest.raises(Unproved):
        check(prove(folder, line), changed, key)


def test_a_proof_of_another_log_is_not_believed(signed, tmp_path):
    folder, _ = signed
    other = sign(build(tmp_path / "other", 3)).verifier
    line = lines(folder)[0]
    with pytest.raises(Unproved, match="not signed by"):
        check(prove(folder, line), line, other)


def test_a_record_newer_than_the_checkpoint_has_no_proof_yet(signed, tmp_path):
    folder = shutil.copytree(signed[0], tmp_path / "ledger")
    build(folder, 1, start=701)
    with pytest.raises(Unproved, match="newer than the last checkpoint"):
        prove(folder, find(folder, "701"))


def test_growth_since_a_noted_checkpoint_is_proved(tmp_path):
    """The body is the one of tlog-witness, `add-checkpoint`."""
    folder = build(tmp_path / "ledger", 300)
    sign(folder)
    noted = read_note(folder / "tree")
    build(folder, 300, start=301)
    sign(folder)
    body = prove_growth(folder, noted)
    assert body.startswith("old 300\n")
    assert body.endswith("\n\n" + read_note(folder / "tree"))


def test_a_ledger_made_anew_does_not_prove_that_it_grew(tmp_path):
    folder, forged = build(tmp_path / "ledger", 300), build(tmp_path / "forged", 600, user="mallory")
    sign(folder)
    sign(forged)
    with pytest.raises(Unproved, match="does not continue"):
        prove_growth(forged, read_note(folder / "tree"))


class TestCommands:
    def run(self, *arguments):
        return CliRunner().invoke(app, ["ledger", *map(str, arguments)])

    def test_a_record_is_proved_and_checked(self, signed, tmp_path):
        folder, key = signed
        proof, line = tmp_path / "record.tlog-proof", tmp_path / "record.json"
        proof.write_text(self.run("prove", folder, "call-5", "--line", line).output)
        for given_key in (key, folder / "tree/verifier.key"):
            found = self.run("check", proof, "--line", line, "--key", given_key)
            assert found.output.startswith("proved: record 5 is one of the 700 that toolgate/"), found.output
        line.write_bytes(line.read_bytes().replace(b"call-5", b"call-6"))
        found = self.run("check", proof, "--line", line, "--key", key)
        assert (found.exit_code, "NOT proved" in found.output) == (1, True)

    def test_a_record_that_is_not_there_is_named(self, signed):
        found = self.run("prove", signed[0], "9999")
        assert (found.exit_code, found.output) == (1, "There is no record 9999 in this ledger.\n")

    def test_verify_says_whose_word_it_took(self, signed):
        folder, key = signed
        beside = self.run("verify", folder)
        assert (beside.exit_code, "the key lies beside the ledger" in beside.output) == (0, True)
        given = self.run("verify", folder, "--key", key)
        assert (given.exit_code, "the key lies beside" in given.output) == (0, False)
        assert f"checkpoint over 700 records, signed by {key}" in given.output

    def test_a_noted_checkpoint_shows_that_an_older_copy_was_put_back(self, tmp_path):
        folder = build(tmp_path / "ledger", 5)
        key = sign(folder).verifier
        older = shutil.copytree(folder, tmp_path / "older")
        build(folder, 5, start=6)
        sign(folder)
        noted = shutil.copy(folder / "tree/checkpoint", tmp_path / "noted")
        assert verify(older, key=key).ok
        found = self.run("verify", older, "--key", key, "--checkpoint", noted)
        assert found.exit_code == 1
        assert "A checkpoint over 10 records was noted, but the ledger ends with 5." in found.output
        assert self.run("verify", folder, "--key", key, "--checkpoint", noted).exit_code == 0

    @pytest.mark.parametrize(
        "arguments", [["--key", "nonsense"], ["--key", "a+b+c"], ["--checkpoint", "/nowhere"]]
    )
    def test_bad_input_is_named(self, signed, arguments):
        done = self.run("verify", signed[0], *arguments)
        assert done.exit_code == 2
        assert "key" in done.output or "/nowhere" in done.output
