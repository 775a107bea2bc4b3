"""Which task a caller acts under, and when that ends."""

from typing import Any

import pytest

from toolgate.errors import Refusal
from toolgate.identity.task_register import Full, Openers, Register
from toolgate.identity.task_token import TaskTokens
from toolgate.identity.tasks import ASSERTED, Tasks
from toolgate.model import Call, Principal, Task

ADA = Principal("ada", "jwt", user="ada", agent="desk", tenant="acme", roles=("lead",))
BOT = Principal("bot", "jwt", user="ada", agent="bot", tenant="acme")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Scene:
    """A register, tokens, and a caller."""

    def __init__(
        self, caller: Principal = ADA, *, declared: Any = None, asserted: tuple[str, ...] = ()
    ) -> None:
        self.clock = Clock()
        self.register = Register(self.clock)
        self.tokens = TaskTokens("https://tools.example.com", self.clock)
        self.caller = caller
        self.tasks = Tasks(
            self._identify,
            declared=declared or {},
            asserted=frozenset(asserted),
            register=self.register,
            tokens=self.tokens,
            clock=self.clock,
        )

    async def _identify(self, call: Call) -> Principal:
        return self.caller

    def opened(self, task: Task | None = None, **more: Any) -> tuple[Any, str]:
        given: dict[str, Any] = {"agent": None, "calls": None, "seconds": 60.0, **more}
        one = self.register.open(task or Task("t", tools=("bank/*",)), ADA, **given)
        return one, self.tokens.mint(one)

    async def seen(
        self, token: str | None = None, *, method: str = "tools/list", word: Any = None
    ) -> Principal:
        params = {} if word is None else {"_meta": {ASSERTED: word}}
        return await self.tasks.identify(
            Call("2026-07-28", "", method, b"", params, task_token=token, authorization="x")
        )


async def test_a_task_token_puts_its_task_on_the_caller_as_one_object() -> None:
    """AZ-04"""
    scene = Scene()
    _, token = scene.opened()
    first, second = await scene.seen(token), await scene.seen(token)
    assert first is second
    assert first.task == Task("t", tools=("bank/*",))
    assert (await scene.seen()).task is None


async def test_closing_a_task_ends_its_rights_at_once() -> None:
    scene = Scene()
    opened, token = scene.opened()
    await scene.seen(token)
    scene.register.close(opened.key)
    with pytest.raises(Refusal, match="ended"):
        await scene.seen(token)


async def test_a_task_ends_by_itself() -> None:
    scene = Scene()
    _, token = scene.opened(seconds=60.0)
    scene.clock.now += 59
    await scene.seen(token)
    scene.clock.now += 1
    with pytest.raises(Refusal):
        await scene.seen(token)


async def test_a_token_is_worth_nothing_to_another_caller() -> None:
    scene = Scene()
    _, token = scene.opened()
    scene.caller = BOT
    with pytest.raises(Refusal, match="another caller"):
        await scene.seen(token)


async def test_a_task_opened_for_an_agent_is_that_agents_within_user_and_tenant() -> None:
    scene = Scene(BOT)
    _, token = scene.opened(agent="bot")
    assert (await scene.seen(token)).task is not None
    for other in (
        Principal("x", "jwt", user="ada", agent="other", tenant="acme"),
        Principal("x", "jwt", user="eve", agent="bot", tenant="acme"),
        Principal("x", "jwt", user="ada", agent="bot", tenant="evil"),
    ):
        scene.caller = other
        with pytest.raises(Refusal):
            await scene.seen(token)


async def test_a_token_of_another_gateway_or_another_kind_or_altered_is_refused() -> None:
    scene, other = Scene(), Scene()
    opened, token = scene.opened()
    head, body, signature = token.split(".")
    foreign = other.tokens.mint(opened)
    unsigned = f"eyJhbGciOiJub25lIiwidHlwIjoidHhudG9rZW4rand0In0.{body}."
    for text in (foreign, unsigned, f"{head}.{body}.{signature[::-1]}", "", "a.b.c", "é", "x" * 5000):
        with pytest.raises(Refusal):
            await scene.seen(text)


async def test_a_task_is_good_for_so_many_tool_calls() -> None:
    """AZ-27"""
    scene = Scene()
    _, token = scene.opened(calls=2)
    for _ in range(3):
        await scene.seen(token, method="tools/list")
    for _ in range(2):
        await scene.seen(token, method="tools/call")
    with pytest.raises(Refusal, match="no more calls"):
        await scene.seen(token, method="tools/call")


async def test_a_claim_that_names_a_declared_task_gets_what_the_config_says() -> None:
    caller = Principal("p", "jwt", task=Task("close", "claimed", {"region": "eu", "limit": 9}))
    declared = Task("close", "Monthly close", {"limit": 5}, ("bank/*",), 2000.0)
    scene = Scene(caller, declared={"close": declared})
    task = (await scene.seen()).task
    assert task == Task("close", "Monthly close", {"region": "eu", "limit": 5}, ("bank/*",), 2000.0)
    scene.clock.now = 2000.0
    with pytest.raises(Refusal, match="declared task close has ended"):
        await scene.seen()


async def test_a_claim_that_names_no_declared_task_stays_as_it_is() -> None:
    caller = Principal("p", "jwt", task=Task("other"))
    scene = Scene(caller, declared={"close": Task("close")})
    assert await scene.seen() is caller


async def test_a_callers_own_word_is_never_its_task_and_counts_only_where_a_rule_asks_for_it() -> None:
    scene = Scene(asserted=("research",))
    said = await scene.seen(word="research")
    assert (said.task, said.asserted_task) == (None, "research")
    assert await scene.seen(word="research") is said
    for word in ("payments", 7, ["research"], None):
        assert await scene.seen(word=word) is ADA


def test_there_is_room_for_so_many_tasks_and_ended_ones_make_room() -> None:
    clock = Clock()
    register = Register(clock, capacity=1)
    register.open(Task("t"), ADA, agent=None, calls=None, seconds=10)
    with pytest.raises(Full):
        register.open(Task("t"), ADA, agent=None, calls=None, seconds=10)
    clock.now += 10
    register.open(Task("t"), ADA, agent=None, calls=None, seconds=10)


@pytest.mark.parametrize(
    ("openers", "admitted"),
    [
        (Openers(), False),
        (Openers(roles=frozenset({"lead"})), True),
        (Openers(roles=frozenset({"lead"}), agents=frozenset({"desk"})), True),
        (Openers(roles=frozenset({"lead"}), agents=frozenset({"bot"})), False),
        (Openers(users=frozenset({"eve"})), False),
    ],
)
def test_only_those_who_are_named_open_tasks(openers: Openers, admitted: bool) -> None:
    assert openers.admit(ADA) is admitted
