"""Tasks that were opened while the gateway runs: who holds them, until when. In memory: a restart ends them all."""

import secrets
from collections.abc import Mapping

from msgspec import Struct

from toolgate.model import Principal, Task
from toolgate.ports import Clock

MAX_OPEN = 10_000


class Full(Exception):
    """No more tasks can be opened before some have ended."""


class Openers(Struct, frozen=True):
    """Who may open tasks: every kind that is named must match, and within it one value is enough."""

    roles: frozenset[str] = frozenset()
    agents: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()

    def admit(self, principal: Principal) -> bool:
        """Whether this caller is one of them. Nobody is where nothing is named."""
        asked = [
            (self.roles, frozenset(principal.roles)),
            (self.agents, frozenset(filter(None, [principal.agent]))),
            (self.users, frozenset(filter(None, [principal.user]))),
        ]
        return any(wanted for wanted, _ in asked) and all(
            not wanted or not wanted.isdisjoint(has) for wanted, has in asked
        )


class Terms(Struct, frozen=True, eq=False):
    """What the config says of opening tasks; read anew for each request."""

    openers: Openers
    """Who may open tasks of their own making."""
    declared: Mapping[str, tuple[Task, Openers]]
    lifetime: float
    """Seconds that a task lasts at most."""


class OpenTask(Struct, frozen=True, eq=False):
    """One opened task."""

    key: str
    """Names it in tokens and in the API; random."""
    task: Task
    opener: str
    """The principal that opened it."""
    agent: str | None
    """The agent that may use it; None: whoever opened it."""
    user: str | None
    """The user it was opened for, where there is one."""
    tenant: str | None
    calls: int | None
    """How many tool calls it is good for; None: any number."""
    opened: float
    expires: float

    def held_by(self, principal: Principal) -> bool:
        """Whether this caller may act under it."""
        if principal.tenant != self.tenant:
            return False
        if self.agent is None:
            return principal.id == self.opener
        return principal.agent == self.agent and (self.user is None or principal.user in (None, self.user))


class Register:
    """What is open. One for the process: a reload closes nothing."""

    def __init__(self, clock: Clock, *, capacity: int = MAX_OPEN) -> None:
        self._clock = clock
        self._capacity = capacity
        self._open: dict[str, OpenTask] = {}
        self._used: dict[str, int] = {}

    def open(
        self,
        task: Task,
        by: Principal,
        *,
        agent: str | None,
        calls: int | None,
        seconds: float,
    ) -> OpenTask:
        """Open a task for `seconds`. Raises `Full`."""
        now = self._clock()
        if len(self._open) >= self._capacity:
            self._drop_ended(now)
        if len(self._open) >= self._capacity:
            raise Full
        key = secrets.token_hex(12)
        opened = OpenTask(key, task, by.id, agent, by.user, by.tenant, calls, now, now + seconds)
        self._open[key] = opened
        return opened

    def now(self) -> float:
        """Unix seconds, as tasks end by."""
        return self._clock()

    def find(self, key: str) -> OpenTask | None:
        """The task, if it is open still."""
        found = self._open.get(key)
        return found if found is not None and self._clock() < found.expires else None

    def use(self, opened: OpenTask) -> bool:
        """Count one tool call. False where the task is good for no more."""
        used = self._used.get(opened.key, 0)
        if opened.calls is not None and used >= opened.calls:
            return False
        self._used[opened.key] = used + 1
        return True

    def used(self, opened: OpenTask) -> int:
        """Tool calls made under it."""
        return self._used.get(opened.key, 0)

    def close(self, key: str) -> None:
        """End its rights: the next call under it is refused."""
        self._open.pop(key, None)
        self._used.pop(key, None)

    def all(self) -> list[OpenTask]:
        """What is open, the oldest first."""
        self._drop_ended(self._clock())
        return list(self._open.values())

    def _drop_ended(self, now: float) -> None:
        for opened in [one for one in self._open.values() if one.expires <= now]:
            self.close(opened.key)
