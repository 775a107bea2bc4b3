"""The promise that a record is safe, for those who wait and for those who only want to be told. Does no I/O."""

import asyncio
from collections.abc import Callable, Generator
from typing import Any

Told = Callable[[Exception | None], None]
"""Called once: with None where the record is safe, else with why not."""


class Promise:
    """Meets `model.Promise`. Being told costs neither a future nor a turn of the loop."""

    __slots__ = ("_done", "_problem", "_told")

    def __init__(self) -> None:
        self._done = False
        self._problem: Exception | None = None
        self._told: Told | None = None

    def then(self, told: Told) -> None:
        """Call this once it is decided; at once where it is. Who came before is told before."""
        if self._done:
            told(self._problem)
            return
        earlier = self._told
        self._told = told if earlier is None else _both(earlier, told)

    def settle(self, problem: Exception | None) -> None:
        """It is decided. The first word counts."""
        if self._done:
            return
        self._done, self._problem = True, problem
        told, self._told = self._told, None
        if told is not None:
            told(problem)

    def __await__(self) -> Generator[Any, None, None]:
        """Returns once the record is safe. Raises `Refusal` where it will not be."""
        if not self._done:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self.then(lambda problem: None if waiter.done() else waiter.set_result(None))
            yield from waiter
        if self._problem is not None:
            raise self._problem


def _both(earlier: Told, later: Told) -> Told:
    def told(problem: Exception | None) -> None:
        earlier(problem)
        later(problem)

    return told
