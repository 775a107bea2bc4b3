"""Go's checksum-database libraries, which know nothing of Toolgate, believe what it signs. `make proofs`."""

import shutil
import subprocess
from pathlib import Path

import pytest
from ledger_support import build, sign

from toolgate.ledger.proof import find, prove
from toolgate.ledger.segments import segments

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def verifier(tmp_path_factory) -> Path:
    built = tmp_path_factory.mktemp("go") / "verifier"
    subprocess.run(["go", "build", "-o", str(built), "."], cwd=HERE / "verifier", check=True)
    return built


def say(*command: object) -> str:
    """What it printed; raises where it refused."""
    return subprocess.run(
        [str(word) for word in command], check=True, capture_output=True, text=True, timeout=120
    ).stdout


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 511, 700, 66_000])
def test_a_ledger_is_believed(size, verifier, tmp_path):
    folder = build(tmp_path / "ledger", size, segment_bytes=1 << 20)
    key = sign(folder).verifier
    assert say(verifier, key, folder) == f"{size} records are those that were signed\n"
    for seq in {1, (size + 1) // 2, size}:
        line, proof = tmp_path / "line", tmp_path / "proof"
        line.write_bytes(find(folder, str(seq)))
        proof.write_text(prove(folder, line.read_bytes()))
        assert say(verifier, key, "proof", proof, line) == f"record {seq} is one of {size}\n"


@pytest.mark.parametrize(("old", "size"), [(1, 2), (3, 300), (256, 257), (300, 1000)])
def test_growth_is_believed(old, size, verifier, tmp_path):
    folder = build(tmp_path / "ledger", old)
    key = sign(folder).verifier
    noted = shutil.copy(folder / "tree/checkpoint", tmp_path / "noted")
    build(folder, size - old, start=old + 1)
    sign(folder)
    assert say(verifier, key, folder, "grew", noted) == f"the tree of {size} continues that of {old}\n"


def test_a_changed_record_is_refused(verifier, tmp_path):
    folder = build(tmp_path / "ledger", 300)
    key = sign(folder).verifier
    path = segments(folder)[0].path
    path.write_bytes(path.read_bytes().replace(b'"id":"call-200"', b'"id":"call-201"'))
    with pytest.raises(subprocess.CalledProcessError) as refused:
        say(verifier, key, folder)
    assert "record 200 is not the one that was signed" in refused.value.stderr


def test_a_checkpoint_of_another_key_is_refused(verifier, tmp_path):
    folder, other = build(tmp_path / "ledger", 3), build(tmp_path / "other", 3)
    sign(folder)
    with pytest.raises(subprocess.CalledProcessError) as refused:
        say(verifier, sign(other).verifier, folder)
    assert "no verifiable signatures" in refused.value.stderr
