"""A damaged ledger is never continued in silence: the gateway starts again only as the operator's setting says."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from gateway_support import Running, records, serve_bank

from toolgate.ledger.segments import segments
from toolgate.ledger.verify import verify


@pytest.fixture
def stopped(tmp_path: Path) -> Iterator[Running]:
    bank = serve_bank()
    gateway = Running(tmp_path, bank.server_address[1], "ledger: {values: sealed}\n")
    assert gateway.modern("tools/call", {"name": "read_account", "arguments": {"n": 1}})[0] == 200
    gateway.stop()
    yield gateway
    if gateway.process.poll() is None:
        gateway.stop()
    bank.shutdown()
    bank.server_close()


def changed(ledger: Path) -> None:
    path = segments(ledger)[0].path
    path.write_bytes(path.read_bytes().replace(b"tools/call", b"tools/cell", 1))


def cut(ledger: Path) -> None:
    path = segments(ledger)[0].path
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))


@pytest.mark.parametrize(
    ("damage", "named"), [(changed, "Record 2 was changed"), (cut, "the ledger ends with record 2")]
)
def test_by_default_the_gateway_does_not_start_and_names_the_damage(damage, named, stopped: Running) -> None:
    damage(stopped.folder / "ledger")
    with pytest.raises(AssertionError, match=named):
        stopped.start()
    assert stopped.process.wait(15) == 2


@pytest.mark.parametrize("damage", [changed, cut])
def test_set_aside_begins_a_new_ledger_that_tells_of_the_old(damage, stopped: Running) -> None:
    damage(stopped.folder / "ledger")
    config = stopped.config.read_text()
    stopped.config.write_text(config.replace("values: sealed", "values: sealed, on_damage: set_aside"))
    stopped.start()
    assert stopped.modern("tools/call", {"name": "read_account", "arguments": {"n": 1}})[0] == 200
    stopped.stop()
    (old,) = stopped.folder.glob("ledger.damaged-*")
    assert not verify(old).ok
    assert verify(stopped.folder / "ledger").findings == []
    told = next(one for one in records(stopped.folder) if one["method"] == "ledger/set_aside")
    assert told["arguments"]["folder"].endswith(old.name)
    key = (stopped.folder / "ledger/tree/verifier.key").read_text()
    assert key != (old / "tree/verifier.key").read_text()
    calls = [one for one in records(stopped.folder) if one["method"] == "tools/call"]
    assert calls[0]["principal"].startswith("~")
    assert (stopped.folder / "ledger/digest.key").read_text() == (old / "digest.key").read_text()
