"""The show: stage built and lit, story told, ledger reckoned up, everything cleared away. A user of the
gateway like any other: it talks to it over the network and reads its files.
"""

import asyncio
from collections.abc import Iterator
from importlib.util import find_spec

from rich.console import Console

from toolgate.demo.child import tail
from toolgate.demo.reckoning import reckon
from toolgate.demo.stage import Stage, built, lit
from toolgate.demo.story import Story
from toolgate.demo.teller import Teller

DEADLINE = 90.0
"""Seconds for the whole story: a demo in CI fails instead of hanging."""


async def tell(*, keep: bool = False) -> int:
    """Tell the story; 0 if every step showed what it says, 1 if not, 2 where the MCP SDK is missing.

    Children are stopped and the run's folder is removed on every way out, the folder not with `keep`.
    """
    teller = Teller(Console())
    if find_spec("mcp") is None:
        teller.plain('The demo needs the official MCP SDK: pip install "toolgate[demo]"')
        return 2
    with built(keep=keep) as stage:
        try:
            async with asyncio.timeout(DEADLINE):
                await _tell(stage, teller)
        except Exception as error:  # noqa: BLE001 - The boundary: whatever went wrong, the reader is told and CI sees a 1.
            _confess(stage, teller, error)
            return 1
        _close(stage, teller, keep=keep)
    return 0


async def _tell(stage: Stage, teller: Teller) -> None:
    teller.plain("An agent, two MCP servers, and Toolgate between them.", style="bold")
    story = Story(stage, teller)
    async with lit(stage):
        for step in story.steps:
            await step()
    await asyncio.to_thread(reckon, stage, teller, story.refusals)


def _close(stage: Stage, teller: Teller, *, keep: bool) -> None:
    """Where things lie, and what to try next."""
    teller.plain()
    if keep:
        teller.plain(f"Config:   {stage.config}")
        teller.plain(f"Policies: {stage.folder / 'policies'}")
        teller.plain(f"Ledger:   {stage.ledger}")
        first = f"toolgate ledger verify {stage.ledger}"
        second = f"toolgate policy test {stage.folder / 'policies'}"
    else:
        teller.plain(f"Config, policies and ledger of this run lay in {stage.folder}, which is removed now.")
        first = "toolgate demo --keep"
        second = f"toolgate policy test {stage.examples / 'policies'}"
    teller.plain("Try next:")
    teller.plain(f"  {first}")
    teller.plain(f"  {second}")


def _confess(stage: Stage, teller: Teller, error: Exception) -> None:
    """What went wrong, and what the servers wrote last."""
    teller.plain()
    for cause in _causes(error):
        teller.plain(f"The demo failed: {type(cause).__name__}: {cause}", style="bold red")
    for child in ("gateway", "bank"):
        for line in tail(stage.log(child)):
            teller.plain(f"  {child}: {line}")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exceptions in a group, however deep: the client's task groups wrap what is raised inside them."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _causes(inner)
    else:
        yield error
