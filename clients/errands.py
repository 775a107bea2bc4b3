"""What every Python client is sent to do, in any of their environments: only the standard library, and asyncio.

A client's file says how it lists and calls; `run` reads the errands and prints one line of JSON for each.
"""

import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

SECONDS = 60.0
"""Until one errand has failed."""
WHILE = 5.0
"""Until a call that reports nothing is under way for certain."""
ANSWER = "forty-two"
"""What the client answers when a server asks the user or the model."""


class Peer(Protocol):
    """A client connected to one endpoint."""

    async def names(self) -> Sequence[str]:
        """The tools it is shown."""
        ...

    async def call(self, tool: str, arguments: dict[str, Any], progress: Callable[[], None]) -> str:
        """The text of a result, or an exception. `progress` is called at each step that is reported."""
        ...


Connect = Callable[[str], AbstractAsyncContextManager[Peer]]


async def _list(peer: Peer, errand: dict[str, Any]) -> str:
    names = await peer.names()
    assert errand["tool"] in names, f"{errand['tool']} is not among {list(names)}"
    return f"{len(names)} tools"


async def _call(peer: Peer, errand: dict[str, Any]) -> str:
    text = await peer.call(errand["tool"], errand["arguments"], lambda: None)
    assert errand["expect"] in text, f"{errand['expect']!r} is not in {text[:500]!r}"
    return text[:80]


async def _progress(peer: Peer, errand: dict[str, Any]) -> str:
    steps: list[None] = []
    await peer.call(errand["tool"], errand["arguments"], lambda: steps.append(None))
    assert steps, "no progress was reported"
    return f"{len(steps)} steps"


async def _cancel(peer: Peer, errand: dict[str, Any]) -> str:
    under_way = asyncio.Event()
    calling = asyncio.ensure_future(peer.call(errand["tool"], errand["arguments"], under_way.set))
    waiting = asyncio.ensure_future(under_way.wait())
    # Who is told of no progress changes his mind after a while.
    await asyncio.wait([calling, waiting], timeout=WHILE, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    assert not calling.done(), f"ended before it could be cancelled: {calling}"
    calling.cancel()
    await asyncio.wait([calling])
    assert calling.cancelled(), "answered all the same"
    after = errand["after"]
    text = await peer.call(after["tool"], after["arguments"], lambda: None)
    assert after["expect"] in text, f"the next call was answered with {text[:500]!r}"
    return "and the next call is answered"


_DO = {
    "list": _list,
    "call": _call,
    "progress": _progress,
    "cancel": _cancel,
    "elicitation": _call,
    "sampling": _call,
}


async def _all(connect: Connect) -> None:
    for errand in json.loads(sys.argv[1]):
        try:
            async with asyncio.timeout(SECONDS):
                async with connect(errand["url"]) as peer:
                    said, failed = await _DO[errand["what"]](peer, errand), False
        except BaseException as error:  # noqa: BLE001 - whatever a client does is the finding
            said, failed = f"{type(error).__name__}: {_innermost(error)}"[:800], True
        line = {"server": errand["server"], "what": errand["what"], "failed": failed, "said": said}
        print(json.dumps(line), flush=True)


def _innermost(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def run(connect: Connect) -> None:
    """Do every errand of the command line."""
    asyncio.run(_all(connect))
