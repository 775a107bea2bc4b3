"""Calls that are under way, by who makes them, so that a caller's can be ended at once. Holds none alive."""

import asyncio
from collections.abc import Callable
from weakref import WeakKeyDictionary

from toolgate.errors import Refusal
from toolgate.model import Principal


class Live:
    """Outlives every config. What is noted goes by itself when the call's task ends."""

    def __init__(self) -> None:
        self._calls: WeakKeyDictionary[asyncio.Task[object], Principal] = WeakKeyDictionary()

    def note(self, principal: Principal) -> None:
        """The current task works for this caller."""
        task = asyncio.current_task()
        assert task is not None
        self._calls[task] = principal

    def cut(self, refused: Callable[[Principal], Refusal | None]) -> int:
        """End the calls of everybody who is refused now; how many. Each ends with the refusal."""
        ending = [(task, refused(principal)) for task, principal in list(self._calls.items())]
        cut = [(task, refusal) for task, refusal in ending if refusal is not None and not task.done()]
        for task, refusal in cut:
            # Whoever catches the cancellation finds the reason in it.
            task.cancel(refusal)
        return len(cut)
