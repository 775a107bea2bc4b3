"""Every command of README.md, run as its reader would: in a fresh folder, in the order of the page's story."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sysconfig
import venv
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from gateway_support import Running, free_port, serve_bank

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
WAIT = 300

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`((?:toolgate|make|pip|python|git|docker) [^`]+)`")


def commands() -> list[str]:
    """What README tells its reader to type, in the order written: lines of shell blocks, and code in the text."""
    found: list[str] = []
    for kind, block in _BLOCK.findall(README):
        if kind == "sh":
            found += [line.partition("#")[0].strip() for line in block.splitlines()]
    found += _SPAN.findall(_BLOCK.sub("", README))
    return [command for command in dict.fromkeys(found) if command]


def files() -> dict[str, str]:
    """The files README shows, by the name in their first line."""
    blocks = [block for kind, block in _BLOCK.findall(README) if kind == "yaml"]
    return {block.partition("\n")[0].removeprefix("# "): block for block in blocks}


class Reader:
    """Somebody with a copy of the project, an environment of its own, and README before their eyes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("src", "examples", "README.md", "LICENSE", "pyproject.toml", "Makefile", "requirements"):
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__", "run"))
            else:
                shutil.copy(source, folder / name)
        self.bin = folder / ".venv/bin"
        venv.create(folder / ".venv", with_pip=True)
        self._lend_libraries()
        self.bank = serve_bank()
        self.port = free_port()
        self.key = ""

    def run(self, command: str, code: int = 0) -> str:
        """Type it; what it printed."""
        ended = subprocess.run(
            command, shell=True, cwd=self.folder, env=self.env(), capture_output=True, text=True, timeout=WAIT
        )
        assert ended.returncode == code, f"{command}: {ended.returncode}\n{ended.stdout}{ended.stderr}"
        return ended.stdout

    def env(self) -> dict[str, str]:
        """Their environment is active. What it takes to build and run is here already: nothing is downloaded."""
        theirs = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return {
            **theirs,
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "TMPDIR": str(self.folder),
            "PIP_NO_INDEX": "1",
            "PIP_NO_BUILD_ISOLATION": "0",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }

    def write(self, name: str, text: str) -> None:
        """Save a file."""
        (self.folder / name).parent.mkdir(exist_ok=True)
        (self.folder / name).write_text(text)

    def close(self) -> None:
        """Done."""
        self.bank.shutdown()
        self.bank.server_close()

    def _lend_libraries(self) -> None:
        # The libraries of the environment the tests run in stand behind those of the reader's own.
        ours, theirs = (
            sysconfig.get_path("purelib"),
            sysconfig.get_path("purelib", vars={"base": str(self.folder / ".venv")}),
        )
        Path(theirs, "lent.pth").write_text(ours + "\n")
        (self.folder / ".venv/ready").touch()


def make_demo(reader: Reader) -> None:
    assert "One byte" in reader.run("make demo")


def make_test(reader: Reader) -> None:
    """All tests are what runs just now; here, that the command leads to them."""
    assert "python -m pytest" in reader.run("make -n test")


def install(reader: Reader) -> None:
    reader.run("pip install .")
    assert (reader.bin / "toolgate").exists()


def new_key(reader: Reader) -> None:
    said = reader.run("toolgate key new nightly-report")
    reader.key = re.search(r"key \(shown once\): (\S+)", said)[1]
    digest = "sha256:" + hashlib.sha256(reader.key.encode()).hexdigest()
    assert digest in said
    config = files()["gateway.yaml"]
    for shown, here in {
        "sha256:…": digest,
        "127.0.0.1:8080": f"127.0.0.1:{reader.port}",
        "127.0.0.1:9001": f"127.0.0.1:{reader.bank.server_address[1]}",
    }.items():
        assert shown in config
        config = config.replace(shown, here)
    reader.write("gateway.yaml", config + f"admin: 127.0.0.1:{free_port()}\n")
    reader.write("policies/bank.yaml", files()["policies/bank.yaml"])
    shutil.copy(ROOT / "tests/upstreams/children/official.py", reader.folder / "crm_server.py")
    reader.write("caller.json", json.dumps({"roles": ["reporting"]}))
    reader.write("call.json", json.dumps({"tool": "bank/transfer_funds", "args": {"amount": 10001}}))


def run_check(reader: Reader) -> None:
    assert "right" in reader.run("toolgate run -c gateway.yaml --check")
    reader.write("bad.yaml", "servrs: {}\n")
    reader.run("toolgate run -c bad.yaml --check", code=2)


def run(reader: Reader) -> None:
    """The first governed call, by the key just made."""
    gateway = Running.of(
        reader.folder, reader.port, [str(reader.bin / "toolgate"), "run", "-c", "gateway.yaml"]
    )
    try:
        call = {"name": "read_account", "arguments": {}}
        answer = gateway.modern("tools/call", call, key=reader.key)[2]
        shared = gateway.modern(
            "tools/call", {**call, "name": "bank__read_account"}, key=reader.key, path="/mcp"
        )[2]
        tools = gateway.modern("tools/list", key=reader.key)[2]["result"]["tools"]
    finally:
        gateway.stop()
    assert (
        answer["result"]["content"]
        == shared["result"]["content"]
        == [{"type": "text", "text": "read_account"}]
    )
    assert [tool["name"] for tool in tools] == ["read_account"]


def explain(reader: Reader) -> None:
    said = reader.run("toolgate explain --as caller.json --call call.json")
    assert "bank/transfer_funds: deny (rule small-transfers-only)" in said


def tools(reader: Reader) -> None:
    said = reader.run("toolgate explain --as caller.json --tools")
    assert re.search(r"^bank/read_account +allow +by reporting-reads$", said, re.MULTILINE)
    assert re.search(r"^crm/add +deny ", said, re.MULTILINE)


def show(reader: Reader) -> None:
    assert "nightly-report" in reader.run("toolgate ledger show ledger")


HOW: dict[str, Callable[[Reader], None]] = {
    "pip install .": install,
    "make demo": make_demo,
    "make test": make_test,
    "toolgate key new nightly-report": new_key,
    "toolgate run -c gateway.yaml --check": run_check,
    "toolgate check": lambda reader: reader.run("toolgate check") and None,
    "toolgate explain --as caller.json --call call.json": explain,
    "toolgate explain --as caller.json --tools": tools,
    "toolgate policy test policies/": lambda reader: reader.run("toolgate policy test policies/") and None,
    "toolgate run -c gateway.yaml": run,
    "toolgate ledger show ledger": show,
    "toolgate ledger verify ledger": lambda reader: reader.run("toolgate ledger verify ledger") and None,
}
"""How each command is tried, in an order in which each finds what it needs."""


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    reader = Reader(tmp_path_factory.mktemp("reader"))
    yield reader
    reader.close()


def test_every_command_of_the_page_is_known_here() -> None:
    """A command that stands in README and not here is run by nobody; one only here is promised to nobody."""
    assert sorted(commands()) == sorted(HOW)


@pytest.mark.parametrize("command", HOW)
def test_the_command_does_what_the_page_says(reader: Reader, command: str) -> None:
    HOW[command](reader)
