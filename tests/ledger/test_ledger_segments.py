import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_support import build, build_with_torn_line

from toolgate.ledger import segments as names
from toolgate.ledger.chain import MAX_LINE


def test_segments_are_ordered_by_number_not_by_name(tmp_path):
    for seq in (1, 500, 9_999_999_999, 10_000_000_000):
        (tmp_path / names.segment_name(seq)).touch()
    assert [one.first for one in names.segments(tmp_path)] == [1, 500, 9_999_999_999, 10_000_000_000]


def test_each_file_of_a_ledger_is_known_and_others_are_strangers(tmp_path):
    build_with_torn_line(tmp_path / "ledger")
    assert names.strangers(tmp_path / "ledger") == []
    assert len(names.torn_files(tmp_path / "ledger")) == 1
    for name in ("0000000001.jsonl.bak", "1.jsonl", "notes.txt", ".hidden"):
        (tmp_path / "ledger" / name).touch()
    assert names.strangers(tmp_path / "ledger") == ["0000000001.jsonl.bak", "1.jsonl", "notes.txt"]


@given(
    content=st.lists(st.binary(max_size=9).map(lambda b: b.replace(b"\n", b"")), max_size=9).map(b"\n".join),
    stretch=st.sampled_from([1, 30_000, 70_000]),
)
def test_backwards_gives_the_same_lines_as_forwards(content, stretch, tmp_path_factory):
    path = tmp_path_factory.mktemp("lines") / "file"
    path.write_bytes(content.replace(b"\x00", b"\x00" * stretch))
    assert list(names.backward(path)) == list(names.forward(path))[::-1]


def test_the_last_lines_are_read_without_reading_the_others(tmp_path):
    folder = build(tmp_path / "ledger", 3)
    path = names.segments(folder)[0].path
    last = path.read_bytes().splitlines(keepends=True)[-1]
    # A hole of 64 GiB before the end: reading it would neither be quick nor fit.
    with path.open("r+b") as file:
        file.seek(64 * 2**30)
        file.write(b"\n" + last)
    assert next(names.backward(path)) == last


def test_a_line_longer_than_any_line_is_not_held_in_memory(tmp_path):
    path = tmp_path / "file"
    with path.open("wb") as file:
        file.truncate(4 * MAX_LINE)
    with pytest.raises(OSError, match="more than"):
        list(names.backward(path))
    assert all(len(piece) <= MAX_LINE for piece in names.forward(path))
