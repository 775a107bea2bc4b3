"""`/v1/tasks`: opens, lists and closes tasks. Knows who may open what, not how a call uses its task."""

import math
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from toolgate.errors import Refusal
from toolgate.identity.task_register import Full, Openers, OpenTask, Register, Terms
from toolgate.identity.task_token import TaskTokens
from toolgate.model import Call, Principal, Task
from toolgate.policy.patterns import split_pattern

Identify = Callable[[Mapping[str, str]], Awaitable[Principal]]
"""From lower-case headers to who asks. Raises `Refusal`."""
Tell = Callable[[str, Principal, OpenTask], Awaitable[None]]
"""Told of each act, for the ledger."""
Answer = tuple[int, Any]


class Wish(Struct, forbid_unknown_fields=True):
    """The body of a request to open one."""

    task: str | None = None
    """A declared task; left out, the task is made of what follows."""
    purpose: str = ""
    tools: list[str] | None = None
    """What it is limited to, as in policies. Of a declared task, the tools declared; more cannot be had."""
    attributes: dict[str, Any] = {}
    agent: str | None = None
    """The agent that may use it; left out, whoever opens it."""
    calls: int | None = None
    seconds: float | None = None


class TaskPages:
    """Answers requests below `/v1/tasks`."""

    def __init__(
        self,
        terms: Callable[[], Terms],
        identify: Identify,
        register: Register,
        tokens: TaskTokens,
        tell: Tell,
    ) -> None:
        self._terms = terms
        self._identify = identify
        self._register = register
        self._tokens = tokens
        self._tell = tell

    async def answer(self, method: str, key: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Status and JSON. `key` is what stands behind `/v1/tasks/`."""
        try:
            principal = await self._identify(headers)
        except Refusal as refusal:
            return refusal.status, {"error": refusal.text}
        if method == "POST" and not key:
            return await self._open(principal, body)
        if method == "GET" and not key:
            return 200, {
                "tasks": [self._shown(one) for one in self._register.all() if _concerns(one, principal)]
            }
        opened = self._register.find(key)
        if opened is None or not _concerns(opened, principal):
            return 404, {"error": "There is no such open task."}
        if method == "GET":
            return 200, self._shown(opened)
        if method == "DELETE":
            self._register.close(key)
            await self._tell("task_closed", principal, opened)
            return 200, {"id": key, "closed": True}
        return 405, {"error": "GET, DELETE, or POST on /v1/tasks."}

    async def _open(self, principal: Principal, body: bytes) -> Answer:
        terms = self._terms()
        try:
            wish = msgspec.json.decode(body, type=Wish)
            task, openers = _wanted(wish, terms)
            seconds = _seconds(wish.seconds, terms.lifetime)
        except (msgspec.MsgspecError, ValueError) as error:
            return 400, {"error": str(error)}
        if not openers.admit(principal):
            return 403, {"error": "You may not open this task."}
        if task.expires is not None:
            seconds = min(seconds, task.expires - self._register.now())
        if seconds <= 0:
            return 403, {"error": "This task has ended."}
        try:
            opened = self._register.open(task, principal, agent=wish.agent, calls=wish.calls, seconds=seconds)
        except Full:
            return 503, {"error": "Too many tasks are open."}
        await self._tell("task_opened", principal, opened)
        return 201, {**self._shown(opened), "token": self._tokens.mint(opened)}

    def _shown(self, opened: OpenTask) -> dict[str, Any]:
        return {
            "id": opened.key,
            "task": opened.task.id,
            "purpose": opened.task.name,
            "tools": opened.task.tools,
            "agent": opened.agent,
            "calls": opened.calls,
            "calls_made": self._register.used(opened),
            "opened_at": int(opened.opened),
            "expires_at": int(opened.expires),
        }


def asking(headers: Mapping[str, str]) -> Call:
    """A request to the API, as identification knows requests. Its task token, if any, gives no rights here."""
    return Call(
        revision="",
        door="",
        method="",
        body=b"",
        params={},
        authorization=headers.get("authorization"),
        api_key=headers.get("x-api-key"),
    )


def _wanted(wish: Wish, terms: Terms) -> tuple[Task, Openers]:
    """The task, and who may open it. Raises `ValueError` for people."""
    for pattern in wish.tools or ():
        split_pattern(pattern)
    if wish.calls is not None and wish.calls < 1:
        raise ValueError("calls is at least 1")
    if wish.task is None:
        # Rules trust names: a task of one's own making has one that no rule can have been written for.
        own = Task(
            f"own-{secrets.token_hex(8)}",
            wish.purpose,
            wish.attributes,
            None if wish.tools is None else tuple(wish.tools),
        )
        return own, terms.openers
    if wish.task not in terms.declared:
        raise ValueError("there is no such declared task")
    if wish.tools is not None or wish.attributes or wish.purpose:
        raise ValueError("purpose, tools and attributes of a declared task stand in the config")
    return terms.declared[wish.task]


def _seconds(wanted: float | None, most: float) -> float:
    if wanted is None:
        return most
    if not math.isfinite(wanted) or not 0 < wanted <= most:
        raise ValueError(f"seconds is more than 0 and at most {most:g}")
    return wanted


def _concerns(opened: OpenTask, principal: Principal) -> bool:
    return opened.opener == principal.id or opened.held_by(principal)
