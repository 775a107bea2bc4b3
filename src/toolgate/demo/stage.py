"""Where the story plays: a folder with config, policies and keys, the bank, the gateway. Knows no plot."""

import secrets
import shutil
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import yaml
from msgspec import Struct

from toolgate.demo.cast import Cast
from toolgate.demo.child import answers, running

HIGHEST_PORT = 32767
"""The kernel hands out ports above this one by itself, so one found free below stays free."""


class Stage(Struct, frozen=True):
    """The places of one run."""

    examples: Path
    folder: Path
    cast: Cast
    port: int
    admin_port: int
    bank_port: int

    @property
    def config(self) -> Path:
        """The gateway's config of this run."""
        return self.folder / "gateway.yaml"

    @property
    def ledger(self) -> Path:
        """The gateway's ledger of this run."""
        return self.folder / "run" / "ledger"

    def log(self, child: str) -> Path:
        """What a child wrote: `bank` or `gateway`."""
        return self.folder / "run" / f"{child}.log"

    @property
    def bank_file(self) -> Path:
        """The bank's SQLite file."""
        return self.folder / "run" / "bank.db"

    def url(self, path: str = "/mcp") -> str:
        """An endpoint of the gateway."""
        return f"http://127.0.0.1:{self.port}{path}"

    @property
    def bank(self) -> str:
        """The bank's own endpoint, which agents never see."""
        return f"http://127.0.0.1:{self.bank_port}/mcp"

    def crm(self, db: str = "crm.db") -> list[str]:
        """The command that runs the CRM server."""
        return [sys.executable, str(self.examples / "crm_server.py"), "--db", str(self.folder / "run" / db)]


@contextmanager
def built(*, keep: bool) -> Iterator[Stage]:
    """A fresh folder with everything written; removed at the end unless `keep`."""
    folder = Path(mkdtemp(prefix="toolgate-demo-"))
    try:
        examples = find_examples()
        shutil.copytree(examples / "policies", folder / "policies")
        stage = Stage(examples, folder, Cast(examples, folder / "run"), *free_ports(3))
        stage.config.write_text(yaml.safe_dump(_config(stage), sort_keys=False))
        yield stage
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def lit(stage: Stage) -> AsyncIterator[None]:
    """Bank and gateway running and ready inside the block. Raises `ChildError`."""
    bank = [sys.executable, str(stage.examples / "bank_server.py")]
    bank += ["--port", str(stage.bank_port), "--db", str(stage.bank_file)]
    gateway = [sys.executable, "-m", "toolgate", "run", "-c", str(stage.config)]
    async with (
        running("bank", bank, stage.log("bank")) as bank_child,
        running("gateway", gateway, stage.log("gateway")) as gateway_child,
    ):
        await bank_child.ready(lambda: answers(stage.bank_port, "/mcp"))
        await gateway_child.ready(lambda: answers(stage.port, "/readyz", 200))
        yield


def find_examples() -> Path:
    """The folder of the bank example: in the installed package, else in the checkout around it."""
    here = Path(__file__).resolve()
    for root in (here.parents[1], here.parents[3]):
        if (root / "examples" / "bank" / "gateway.yaml").is_file():
            return root / "examples" / "bank"
    raise FileNotFoundError("examples/bank is neither in the package nor beside it")


def free_ports(count: int) -> list[int]:
    """Different ports of loopback that nobody listens on."""
    found: list[int] = []
    for port in secrets.SystemRandom().sample(range(20_000, HIGHEST_PORT + 1), 200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                found.append(port)
        if len(found) == count:
            return found
    raise OSError("no free port found below 32768")


def _config(stage: Stage) -> dict[str, Any]:
    """The example's config with this run's ports and commands in it, and nothing else changed."""
    config: dict[str, Any] = yaml.safe_load((stage.examples / "gateway.yaml").read_text())
    command, *args = stage.crm()
    config["listen"] = f"127.0.0.1:{stage.port}"
    config["admin"] = f"127.0.0.1:{stage.admin_port}"
    config["public_url"] = f"http://127.0.0.1:{stage.port}"
    config["servers"] = {"bank": {"url": stage.bank}, "crm": {"command": command, "args": args}}
    return config
