"""Which task a caller acts under: a task token, a claim that names a declared task, or the caller's own word.

The credential says who calls; this stage adds the task. A caller's own word (`_meta`) is never more than
`asserted_task`, which only rules that ask for no more than that look at.
"""

from collections.abc import Awaitable, Callable, Mapping

from msgspec import structs

from toolgate.errors import Refusal
from toolgate.identity.task_register import OpenTask, Register
from toolgate.identity.task_token import TaskTokens
from toolgate.model import Call, Principal, Task
from toolgate.ports import Clock

ASSERTED = "io.toolgate/task"
"""The key of `_meta` in which a caller may name its task."""

CAPACITY = 10_000
_ENDED = "The task of this call has ended, or its token is not accepted."


class Tasks:
    """Wraps `identify`. One for each snapshot; the register and the tokens outlive it."""

    def __init__(
        self,
        identify: Callable[[Call], Awaitable[Principal]],
        *,
        declared: Mapping[str, Task],
        asserted: frozenset[str],
        register: Register,
        tokens: TaskTokens,
        clock: Clock,
    ) -> None:
        """`asserted` holds the tasks that some rule believes a caller's own word for: others are not looked at."""
        self._identify = identify
        self._declared = declared
        self._asserted = asserted
        self._register = register
        self._tokens = tokens
        self._clock = clock
        self._keys: dict[str, str] = {}
        self._callers: dict[tuple[Principal, str, str | None], Principal] = {}

    async def identify(self, call: Call) -> Principal:
        """Who calls, with its task. Raises `Refusal`, also for a task that has ended."""
        principal = await self._identify(call)
        asserted = self._own_word(call) if self._asserted else None
        if call.task_token is not None:
            opened = self._opened(call.task_token, principal)
            if call.method == "tools/call" and not self._register.use(opened):
                raise _refused("the task is good for no more calls")
            return self._with(principal, opened.task, opened.key, asserted)
        task = principal.task
        declared = self._declared.get(task.id) if task is not None else None
        if task is None or declared is None:
            return principal if asserted is None else self._with(principal, task, "", asserted)
        if declared.expires is not None and declared.expires <= self._clock():
            raise _refused(f"the declared task {task.id} has ended")
        return self._with(principal, _both(task, declared), task.id, asserted)

    def _own_word(self, call: Call) -> str | None:
        meta = call.params.get("_meta")
        word = meta.get(ASSERTED) if isinstance(meta, dict) else None
        return word if isinstance(word, str) and word in self._asserted else None

    def _opened(self, token: str, principal: Principal) -> OpenTask:
        key = self._keys.get(token) or self._tokens.read(token)
        opened = self._register.find(key) if key is not None else None
        if key is None or opened is None:
            self._keys.pop(token, None)
            raise _refused("the task token is none of ours, or its task has ended")
        if not opened.held_by(principal):
            raise _refused("the task token belongs to another caller")
        if len(self._keys) >= CAPACITY:
            self._keys.clear()
        self._keys[token] = key
        return opened

    def _with(self, principal: Principal, task: Task | None, key: str, asserted: str | None) -> Principal:
        """The same object for the same caller and task: policy remembers things about objects."""
        name = principal, key, asserted
        known = self._callers.get(name)
        if known is None:
            if len(self._callers) >= CAPACITY:
                self._callers.clear()
            known = structs.replace(principal, task=task, asserted_task=asserted)
            self._callers[name] = known
        return known


def _both(claimed: Task, declared: Task) -> Task:
    """What the credential says of the task, and what the config says, which counts where they differ."""
    return Task(
        claimed.id,
        declared.name or claimed.name,
        {**claimed.attributes, **declared.attributes},
        declared.tools,
        declared.expires,
    )


def _refused(reason: str) -> Refusal:
    return Refusal.denied("task", _ENDED, reason=reason)
