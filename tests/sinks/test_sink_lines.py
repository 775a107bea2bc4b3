import json
import os

import pytest
from sink_receivers import HttpWebhook
from sink_support import running, until

from toolgate.sinks.lines import Files, standard_output


def test_a_file_gives_way_at_its_size_and_some_former_ones_stay(tmp_path):
    files = Files(tmp_path / "out.jsonl", 10, 2)
    for number in range(5):
        files.write(b"line %d....\n" % number)
    files.close()
    assert {path.name: path.read_text()[:6] for path in tmp_path.iterdir()} == {
        "out.jsonl": "line 4",
        "out.jsonl.1": "line 3",
        "out.jsonl.2": "line 2",
    }


def test_without_former_ones_the_file_starts_anew(tmp_path):
    files = Files(tmp_path / "out.jsonl", 10, 0)
    for number in range(3):
        files.write(b"line %d....\n" % number)
    files.close()
    assert (tmp_path / "out.jsonl").read_bytes() == b"line 2....\n"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("torn", [b"", b"half a li", b"x" * 200_000])
def test_what_a_crash_left_of_a_line_is_cut_off(torn, tmp_path):
    """It was never acknowledged, so it comes again."""
    path = tmp_path / "out.jsonl"
    path.write_bytes(b"whole\n" + torn)
    files = Files(path, 1 << 20, 1)
    files.write(b"next\n")
    files.close()
    assert path.read_bytes() == b"whole\nnext\n"


def test_a_file_that_was_moved_away_is_made_again(tmp_path):
    path = tmp_path / "out.jsonl"
    files = Files(path, 1 << 20, 1)
    files.write(b"one\n")
    path.rename(tmp_path / "moved")
    files.write(b"two\n")
    files.close()
    assert path.read_bytes() == b"two\n"


def test_a_file_is_for_its_owner_alone(tmp_path):
    files = Files(tmp_path / "out.jsonl", 1 << 20, 1)
    files.write(b"one\n")
    files.close()
    assert (tmp_path / "out.jsonl").stat().st_mode & 0o777 == 0o600


def test_something_else_than_a_file_is_written_to_as_it_is(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    files = Files(fifo, 1 << 20, 1)
    files.write(b"one\n")
    assert os.read(reader, 100) == b"one\n"
    files.close()
    os.close(reader)


def test_standard_output_gets_lines(capfdbinary):
    standard_output(b"one\n")
    assert capfdbinary.readouterr().out == b"one\n"


@pytest.mark.parametrize("status", [401, 404, 429, 500, 503, 301])
async def test_a_mistake_in_the_config_or_an_overload_costs_no_record(status, ledger, tmp_path):
    receiver = HttpWebhook(tmp_path)
    receiver.statuses = [status] * 3
    ledger.add(3)
    async with running(ledger.delivery(receiver.channel())) as delivery:
        await until(lambda: delivery.lag == 0)
    assert receiver.ids() == ledger.ids
    assert (delivery.failed, delivery.dead_letters) == (3, 0)
    receiver.close()


async def test_a_batch_sent_again_bears_the_same_id(ledger, tmp_path):
    receiver = HttpWebhook(tmp_path)
    ledger.add(3)
    for _ in range(2):
        async with running(ledger.delivery(receiver.channel())) as delivery:
            await until(lambda: delivery.lag == 0)
        (ledger.folder / "readers/siem.cursor").write_text(json.dumps({"seq": 0}))
    first, second = receiver.bodies
    assert first[0]["webhook-id"] == second[0]["webhook-id"]
    assert receiver.ids() == ledger.ids * 2
    receiver.close()
