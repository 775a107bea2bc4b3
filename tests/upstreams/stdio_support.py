"""What the tests of stdio upstreams share: callers, messages, and a look at the processes."""

import asyncio
import itertools
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from toolgate.model import Principal, Reply, Session
from toolgate.ports import Outbound
from toolgate.upstreams.stdio import Stdio

CHILDREN = Path(__file__).with_name("children")
ALICE = Principal("alice", "api_key")
BOB = Principal("bob", "api_key")
numbers = itertools.count(1)


def session(principal: Principal = ALICE, name: str = "s1", **changes: Any) -> Session:
    fields = {"revision": "2025-11-25", "capabilities": {"elicitation": {}}, **changes}
    client = {"name": "tests", "version": "1"}
    return Session(id=name, principal=principal.id, client=client, expires=0.0, **fields)


def stdio(child: str, *args: str, **changes: Any) -> Stdio:
    quick: dict[str, Any] = {"call_seconds": 5.0, "start_seconds": 5.0, "stop_seconds": 0.3}
    return Stdio("tool", sys.executable, [str(CHILDREN / f"{child}.py"), *args], **(quick | changes))


def request(
    method: str,
    principal: Principal = ALICE,
    within: Session | None = None,
    params: dict[str, Any] | None = None,
) -> Outbound:
    number = next(numbers)
    body = {"_meta": {"progressToken": number}, **(params or {})}
    message = {"jsonrpc": "2.0", "id": number, "method": method, "params": body}
    return outbound(json.dumps(message).encode(), principal, within, number=number, method=method)


def outbound(
    message: bytes,
    principal: Principal = ALICE,
    within: Session | None = None,
    *,
    number: int | None = None,
    method: str = "",
) -> Outbound:
    return Outbound(
        message=message,
        method=method,
        revision="2025-11-25",
        id=number,
        name="",
        principal=principal,
        session=within or session(principal),
    )


async def call(upstream: Stdio, method: str, principal: Principal = ALICE, **params: Any) -> Any:
    """The result of a call that is answered at once."""
    reply = await within_bounds(upstream.exchange(request(method, principal, params=params)))
    assert reply.message is not None
    return json.loads(reply.message)["result"]


async def within_bounds(awaitable: Any) -> Any:
    async with asyncio.timeout(20):
        return await awaitable


async def messages(reply: Reply) -> list[dict[str, Any]]:
    assert reply.stream is not None
    async with asyncio.timeout(20):
        return [json.loads(message) async for message in reply.stream]


async def until(fact: Callable[[], bool]) -> None:
    """Wait until something outside our event loop has become true."""
    async with asyncio.timeout(20):
        while not fact():  # noqa: ASYNC110 - the kernel sets no event of ours
            await asyncio.sleep(0.005)


def lives(pid: int) -> bool:
    """A zombie whose parent is init is dead: reaping it is not ours. One of our own is not."""
    try:
        state, parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX" or int(parent) == os.getpid()


def own_children() -> set[int]:
    """Every child process of ours, zombies among them."""
    lists = Path("/proc/self/task").glob("*/children")
    return {int(pid) for each in lists for pid in each.read_text().split()}
