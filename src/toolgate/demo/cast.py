"""The people of the story: agent and issuer of `examples/bank`, loaded from their files. Knows no gateway.

They are examples for people to read and change: no part of the package, so not imported by name.
"""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol


class Answer(Protocol):
    """What came back from a call, a read or a prompt."""

    ok: bool
    text: str
    data: Mapping[str, Any]


class Agent(Protocol):
    """An agent with an open connection."""

    async def tools(self) -> list[str]:
        """Names of the tools it sees, sorted."""
        ...

    async def call(self, tool: str, **arguments: Any) -> Answer:
        """Call a tool."""
        ...

    async def read(self, uri: str) -> Answer:
        """Read a resource."""
        ...

    async def prompt(self, name: str, **arguments: str) -> Answer:
        """Ask for a prompt."""
        ...


class Cast:
    """Agent and issuer from the files in `examples`; the issuer's keys are made in `folder`."""

    def __init__(self, examples: Path, folder: Path) -> None:
        self._agent = _load(examples / "agent.py")
        self._issuer = _load(examples / "issuer.py")
        self._key = self._issuer.new_key(folder)

    def agent(self, url: str, *, task: str, stateless: bool = False) -> AbstractAsyncContextManager[Agent]:
        """`closing-bot`, acting for `dana` on `task`, connected to `url` through the official client."""
        token = self._issuer.sign(self._key, task=task)
        mode = self._agent.STATELESS if stateless else self._agent.SESSIONS
        agent: AbstractAsyncContextManager[Agent] = self._agent.connect(url, token, mode=mode)
        return agent

    def visitor(self, *server: str) -> AbstractAsyncContextManager[Agent]:
        """The official client directly at a server: at its address, or at a command started for it."""
        place = server[0]
        connect = self._agent.connect if place.startswith("http") else self._agent.attach
        agent: AbstractAsyncContextManager[Agent] = connect(*server)
        return agent


def _load(file: Path) -> ModuleType:
    spec = spec_from_file_location(f"toolgate_demo_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(file)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
