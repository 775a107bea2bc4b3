import pytest
from ledger_support import build, lines, record, sign

from toolgate.errors import ConfigError
from toolgate.ledger.chain import ORIGIN
from toolgate.ledger.checkpoints import Checkpoints
from toolgate.ledger.recover import recover
from toolgate.ledger.segments import segments
from toolgate.ledger.tree import read_note
from toolgate.ledger.verify import verify
from toolgate.ledger.writer import Writer


def opened(folder, key=None) -> Checkpoints:
    return Checkpoints(folder, key, lambda: recover(folder).head)


async def test_what_a_writer_writes_is_signed(tmp_path):
    writer = Writer(tmp_path / "ledger")
    writer.start()
    checkpoints = Checkpoints(tmp_path / "ledger", None, lambda: writer.head)
    for number in range(600):
        await writer.append(record(number))
    assert checkpoints.lag == 600
    checkpoints.step()
    assert checkpoints.lag == 0
    await checkpoints.aclose()
    await writer.aclose()
    report = verify(tmp_path / "ledger", key=checkpoints.verifier)
    assert (report.ok, report.checkpoint, report.records) == (True, 600, 600)


def test_a_ledger_without_records_has_a_checkpoint_too(tmp_path):
    (tmp_path / "ledger").mkdir(mode=0o700)
    checkpoints = Checkpoints(tmp_path / "ledger", None, lambda: ORIGIN)
    checkpoints.step()
    assert "\n0\n" in read_note(tmp_path / "ledger/tree")


def test_a_restarted_gateway_goes_on_under_the_same_key(tmp_path):
    folder = build(tmp_path / "ledger", 300)
    first = sign(folder)
    build(folder, 300, start=301)
    second = sign(folder)
    assert str(first.verifier) == str(second.verifier)
    assert verify(folder, key=first.verifier).checkpoint == 600


def test_a_key_kept_elsewhere_is_used(tmp_path):
    folder = build(tmp_path / "ledger", 3)
    signed = sign(folder, tmp_path / "elsewhere.key")
    assert not (folder / "signing.key").exists()
    assert (tmp_path / "elsewhere.key").stat().st_mode & 0o777 == 0o600
    assert verify(folder, key=signed.verifier).ok


def test_a_lost_key_is_named_and_never_replaced_in_silence(tmp_path):
    folder = build(tmp_path / "ledger", 3)
    sign(folder)
    (folder / "signing.key").unlink()
    with pytest.raises(ConfigError, match="signed this ledger's checkpoints is not there"):
        opened(folder)
    assert not (folder / "signing.key").exists()


def test_a_key_of_another_ledger_is_refused(tmp_path):
    folder, other = build(tmp_path / "ledger", 3), build(tmp_path / "other", 3)
    sign(folder)
    sign(other)
    (folder / "signing.key").write_bytes((other / "signing.key").read_bytes())
    with pytest.raises(ConfigError, match="cannot be trusted: it is not signed by"):
        opened(folder)


def test_a_file_that_is_no_key_is_refused(tmp_path):
    folder = build(tmp_path / "ledger", 3)
    (folder / "signing.key").write_text("no key\n")
    with pytest.raises(ConfigError, match="no signing key"):
        opened(folder)


@pytest.mark.parametrize("keep", [0, 1, 4])
def test_a_ledger_whose_end_was_cut_is_not_continued(keep, tmp_path):
    """What a chain alone cannot show."""
    folder = build(tmp_path / "ledger", 5)
    sign(folder)
    segments(folder)[0].path.write_bytes(b"".join(lines(folder)[:keep]))
    with pytest.raises(ConfigError, match="over 5 records was signed, but the ledger ends"):
        opened(folder)


def test_a_ledger_that_was_replaced_by_one_as_long_is_not_continued(tmp_path):
    folder, other = build(tmp_path / "ledger", 5), build(tmp_path / "other", 5, user="mallory")
    sign(folder)
    segments(folder)[0].path.write_bytes(segments(other)[0].path.read_bytes())
    with pytest.raises(ConfigError, match="cut or replaced"):
        opened(folder)


def test_a_longer_ledger_that_does_not_continue_the_signed_one_is_not_signed(tmp_path, caplog):
    folder, other = build(tmp_path / "ledger", 5), build(tmp_path / "other", 9, user="mallory")
    sign(folder)
    note = read_note(folder / "tree")
    segments(folder)[0].path.write_bytes(segments(other)[0].path.read_bytes())
    checkpoints = opened(folder)
    checkpoints.step()
    assert "does not follow the record before it" in checkpoints.problem
    assert "not signed any more" in caplog.text
    assert read_note(folder / "tree") == note


def test_a_record_changed_under_a_running_gateway_is_not_signed(tmp_path):
    folder = build(tmp_path / "ledger", 5)
    sign(folder)
    checkpoints = opened(folder)
    build(folder, 3, start=6)
    path = segments(folder)[0].path
    path.write_bytes(path.read_bytes().replace(b"call-7", b"call-1"))
    checkpoints._head = lambda: verify(folder).head
    checkpoints.step()
    assert "Record 7 was changed" in checkpoints.problem


def test_a_disk_that_fails_for_a_while_costs_no_signature_for_good(tmp_path, caplog):
    folder = build(tmp_path / "ledger", 300)
    sign(folder)
    checkpoints = opened(folder)
    build(folder, 400, start=301)
    blocked = folder / "tree/tile/0/001"
    blocked.mkdir()
    checkpoints.step()
    checkpoints.step()
    assert "directory" in checkpoints.problem
    assert caplog.text.count("cannot be signed") == 1
    assert checkpoints.lag == 400
    blocked.rmdir()
    checkpoints.step()
    assert (checkpoints.problem, checkpoints.lag) == (None, 0)
    assert verify(folder, key=checkpoints.verifier).checkpoint == 700
