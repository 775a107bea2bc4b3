import shutil

import pytest
from ledger_support import build, lines, record, sign

from toolgate.ledger.acts import START
from toolgate.ledger.chain import ORIGIN, encode, link
from toolgate.ledger.note import SignerKey
from toolgate.ledger.segments import segments
from toolgate.ledger.tree import Tree
from toolgate.ledger.verify import verify


@pytest.fixture(scope="module")
def signed(tmp_path_factory):
    folder = build(tmp_path_factory.mktemp("tree") / "ledger", 600, segment_bytes=50_000)
    return folder, sign(folder).verifier


@pytest.fixture
def copy(signed, tmp_path):
    return shutil.copytree(signed[0], tmp_path / "copy")


def findings(report) -> list[tuple[str, str]]:
    return [(finding.kind, finding.file) for finding in report.findings]


def test_an_intact_ledger_has_an_intact_tree(signed):
    folder, key = signed
    assert verify(folder, key=key).findings == []
    assert verify(folder).key == str(key)


def test_every_byte_of_the_tree_counts(signed, copy):
    for path in sorted(path for path in (copy / "tree").rglob("*") if path.is_file()):
        content = path.read_bytes()
        for at in (0, len(content) // 2, len(content) - 2):
            path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
            assert not verify(copy).ok, (path, at)
        path.unlink()
        assert not verify(copy).ok, path
        path.write_bytes(content)
    assert verify(copy).ok


def test_a_cut_end_is_found(signed, copy):
    last = segments(copy)[-1].path
    last.write_bytes(b"".join(last.read_bytes().splitlines(keepends=True)[:-1]))
    (finding,) = verify(copy).findings
    assert finding.what == (
        "A checkpoint over 600 records was signed, but the ledger ends with 599. Its end was cut."
    )


def test_removed_last_segments_are_found(copy):
    segments(copy)[-1].path.unlink()
    assert findings(verify(copy)) == [("checkpoint", "tree/checkpoint")]


def test_a_chain_made_anew_is_found_by_the_signature(copy):
    """Who can write the segments can chain them anew; without the key the tree tells."""
    path = segments(copy)[0].path
    head, forged = ORIGIN, []
    for number in range(1, 601):
        line, head = link(head, encode(record(number, user="mallory")))
        forged.append(line)
    for segment in segments(copy)[1:]:
        segment.path.unlink()
    path.write_bytes(b"".join(forged))
    report = verify(copy)
    assert ("checkpoint", "tree/checkpoint") in findings(report)
    assert any("not those that were signed" in finding.what for finding in report.findings)


def test_a_ledger_signed_anew_with_another_key_is_found_by_who_noted_the_key(signed, copy):
    _, key = signed
    shutil.rmtree(copy / "tree")
    forger = SignerKey.new(key.name)
    tree = Tree(copy / "tree", forger)
    for line in lines(copy):
        tree.add(bytes.fromhex(line[-67:-3].decode()))
    tree.publish()
    assert verify(copy).ok
    report = verify(copy, key=key)
    assert findings(report) == [("checkpoint", "tree/checkpoint")]
    assert "not signed by" in report.findings[0].what


@pytest.mark.parametrize("start", [False, True])
def test_a_removed_tree_is_found_where_a_record_or_the_auditor_tells_of_it(start, tmp_path):
    folder = build(tmp_path / "ledger", 3)
    signed = sign(folder)
    key = signed.verifier
    if start:
        build(folder, 1, event="gateway", method=START, arguments={"checkpoint_key": str(key)}, start=4)
        sign(folder)
    shutil.rmtree(folder / "tree")
    assert not verify(folder, key=key).ok
    assert verify(folder).ok is not start


def test_another_key_than_the_records_tell_of_is_found(tmp_path):
    folder = build(
        tmp_path / "ledger", 1, event="gateway", method=START, arguments={"checkpoint_key": "other+00+00"}
    )
    sign(folder)
    assert "another key than this one" in verify(folder).findings[0].what


def test_what_is_newer_than_the_checkpoint_is_no_finding(copy):
    build(copy, 3, start=601)
    report = verify(copy)
    assert (report.ok, report.checkpoint, report.records) == (True, 600, 603)
