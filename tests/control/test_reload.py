"""Reloading goes on whatever happens in one of them: the file is watched for as long as the gateway runs."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from toolgate.compiler import build, new_kit
from toolgate.config.load import load
from toolgate.control import reload
from toolgate.control.reload import Reloader
from toolgate.errors import UNRECORDED, Refusal
from toolgate.upstreams.http_client import HttpClient

CONFIG = "servers: {bank: {url: 'http://127.0.0.1:1/mcp'}}\nidentity: {anonymous: loopback}\nenvironment: {n: %d}\n"


class Gateway:
    """What a reload touches."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "gateway.yaml"
        self.told: list[str] = []
        self.deaf = False
        self.kit = new_kit(HttpClient(max_connections=1), "", time.time)

    async def start(self) -> None:
        self.write(0)
        loaded = load(self.path)
        built = await build(loaded, self.kit)
        subscribers = SimpleNamespace(renewed=lambda: None)
        self.pipeline = SimpleNamespace(snapshot=built.snapshot, subscribers=subscribers)
        self.reloader = Reloader(self.path, loaded, built, self.pipeline, self.kit, self.tell)

    def write(self, number: int) -> None:
        self.path.write_text(CONFIG % number)

    async def tell(self, what: str, detail: str) -> None:
        if self.deaf:
            raise Refusal("ledger", "ledger_unavailable", "x", code=UNRECORDED, status=503)
        self.told.append(what)


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    gateway = Gateway(tmp_path)
    await gateway.start()
    yield gateway
    await gateway.reloader.aclose()
    await gateway.kit.pool.aclose()
    await gateway.kit.http.aclose()


async def test_a_bug_in_a_reload_changes_nothing_and_the_next_one_works(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object) -> object:
        raise RuntimeError("no config error")

    before = gateway.pipeline.snapshot
    gateway.write(1)
    with monkeypatch.context() as patch:
        patch.setattr(reload, "build", broken)
        assert await gateway.reloader.reload() is False
    assert gateway.pipeline.snapshot is before
    assert gateway.reloader.error == "an unexpected RuntimeError; the log has its trace"
    assert "Traceback" in caplog.text
    assert await gateway.reloader.reload() is True
    assert gateway.reloader.error is None
    assert gateway.told == ["config_refused", "config_changed"]


@pytest.mark.parametrize(("text", "in_force"), [(CONFIG % 2, True), ("servers: []", False)])
async def test_a_reload_that_cannot_be_recorded_is_told_in_the_log(
    gateway: Gateway, caplog: pytest.LogCaptureFixture, text: str, in_force: bool
) -> None:
    before = gateway.pipeline.snapshot
    gateway.deaf = True
    gateway.path.write_text(text)
    assert await gateway.reloader.reload() is in_force
    assert (gateway.pipeline.snapshot is not before) is in_force
    assert "could not be recorded" in caplog.text
