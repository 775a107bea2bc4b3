"""What is remembered of servers' lists, for whom and how long."""

import asyncio
from typing import Any

import pytest
from msgspec import Raw

from toolgate.catalog import lists
from toolgate.catalog.lists import Listed, Lists, View
from toolgate.catalog.tools import Catalog
from toolgate.errors import Refusal
from toolgate.fanout import Patience
from toolgate.model import Call, Kind, Principal, Target
from toolgate.protocol.merge import Entry
from toolgate.protocol.methods import METHODS
from toolgate.upstreams.http_client import HttpClient
from toolgate.upstreams.http_server import HttpServer

SERVER: Any = object()


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def view(credential: str = "shared", kind: Kind = Kind.TOOL, server: Any = SERVER) -> View:
    return View(server, "a", kind, f"{kind}s/list", "2026-07-28", b"{}", credential)


class Source:
    """A server's list, as often as it is fetched."""

    def __init__(
        self, seconds: float = 60.0, *, public: bool = False, whole: bool = True, size: int = 2
    ) -> None:
        self.listed = Listed([Entry("t", Raw(b"x" * size))], {}, seconds, public, whole)
        self.fetched = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.started = asyncio.Event()

    async def __call__(self) -> Listed:
        self.fetched += 1
        self.started.set()
        await self.gate.wait()
        return self.listed


async def test_a_list_is_fetched_once_while_it_holds() -> None:
    """E62."""
    clock, source = Clock(), Source(60.0)
    remembered = Lists(clock)
    assert (await remembered.get(view(), source))[1] == 60.0
    clock.now = 59.0
    assert (await remembered.get(view(), source))[1] == 1.0
    assert source.fetched == 1
    clock.now = 60.0
    await remembered.get(view(), source)
    assert source.fetched == 2


@pytest.mark.parametrize(("public", "fetched"), [(False, 2), (True, 1)])
async def test_callers_that_the_server_tells_apart_share_only_what_is_public(
    public: bool, fetched: int
) -> None:
    """E62."""
    source, remembered = Source(public=public), Lists(Clock())
    await remembered.get(view("one"), source)
    await remembered.get(view("other"), source)
    assert source.fetched == fetched


@pytest.mark.parametrize("source", [{"seconds": 0.0}, {"whole": False}])
async def test_what_holds_for_no_time_or_is_cut_is_not_remembered(source: dict[str, Any]) -> None:
    """E52, E62."""
    tools, remembered = Source(**source), Lists(Clock())
    await remembered.get(view(), tools)
    await remembered.get(view(), tools)
    assert tools.fetched == 2


async def test_a_change_is_forgotten_at_once_also_by_a_fetch_under_way() -> None:
    """P9.8, E55."""
    source, prompts, remembered = Source(), Source(), Lists(Clock())
    await remembered.get(view(kind=Kind.PROMPT), prompts)
    source.gate.clear()
    first = asyncio.ensure_future(remembered.get(view(), source))
    await source.started.wait()
    remembered.changed("a", Kind.TOOL)
    source.gate.set()
    await first
    await remembered.get(view(), source)
    assert source.fetched == 2
    remembered.changed("a", Kind.TOOL)
    await remembered.get(view(), source)
    await remembered.get(view(kind=Kind.PROMPT), prompts)
    assert (source.fetched, prompts.fetched) == (3, 1)


async def test_many_who_ask_at_once_cause_one_fetch_and_none_of_them_can_spoil_it() -> None:
    source, remembered = Source(), Lists(Clock())
    source.gate.clear()
    asking = [asyncio.ensure_future(remembered.get(view(), source)) for _ in range(10)]
    await source.started.wait()
    asking[0].cancel()
    source.gate.set()
    answers = await asyncio.gather(*asking, return_exceptions=True)
    assert source.fetched == 1
    assert isinstance(answers[0], asyncio.CancelledError)
    assert all(answer[0] is source.listed for answer in answers[1:] if isinstance(answer, tuple))


async def test_what_holds_for_no_time_is_shared_with_nobody() -> None:
    """E32: who asks at the same moment may have another session at the server."""
    source, remembered = Source(0.0), Lists(Clock())
    await asyncio.gather(*(remembered.get(view(), source) for _ in range(3)))
    assert source.fetched == 3


async def test_a_failed_fetch_is_everybodys_and_the_next_one_tries_anew() -> None:
    """E53."""
    remembered = Lists(Clock())

    async def fail() -> Listed:
        raise Refusal.unavailable("gone")

    with pytest.raises(Refusal):
        await remembered.get(view(), fail)
    assert (await remembered.get(view(), Source()))[0].entries


async def test_memory_is_bounded_in_number_and_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "MAX_LISTS", 2)
    monkeypatch.setattr(lists, "MAX_BYTES", 10)
    remembered, servers = Lists(Clock()), [object() for _ in range(3)]
    sources = [Source(size=4) for _ in servers]
    for server, source in zip(servers, sources, strict=True):
        await remembered.get(view(server=server), source)
    await remembered.get(view(server=servers[2]), sources[2])
    await remembered.get(view(server=servers[0]), sources[0])
    assert [source.fetched for source in sources] == [2, 1, 1]
    huge = Source(size=11)
    await remembered.get(view(), huge)
    await remembered.get(view(), huge)
    assert huge.fetched == 2


def test_a_server_that_made_everybody_wait_is_left_alone_for_a_while_that_doubles() -> None:
    """E53: a bounded wait, not one for each list."""
    clock, upstream = Clock(), Upstream()
    patience = Patience(clock)
    assert not patience.spent(upstream)  # type: ignore[arg-type]
    for pause in (5, 10, 20, 40, 60, 60):
        patience.slow(upstream)  # type: ignore[arg-type]
        clock.now += pause - 1
        assert patience.spent(upstream)  # type: ignore[arg-type]
        clock.now += 1
        assert not patience.spent(upstream)  # type: ignore[arg-type]
    patience.answered(upstream)  # type: ignore[arg-type]
    patience.slow(upstream)  # type: ignore[arg-type]
    clock.now += 5
    assert not patience.spent(upstream)  # type: ignore[arg-type]


class Upstream:
    """Stands for a server where only its identity matters."""

    name = "a"

    def credential(self, principal: Principal) -> str:
        return principal.id


def listing(**params: Any) -> View | None:
    call = Call("2026-07-28", "", "tools/list", b"", params)
    return lists.view(Upstream(), call, Principal("p", "api_key"))  # type: ignore[arg-type]


def test_a_list_is_remembered_by_all_that_it_may_depend_on() -> None:
    """E62: another capability makes another list; what only extensions know makes none."""
    key = "io.modelcontextprotocol/clientCapabilities"
    plain = listing(_meta={key: {}, "progressToken": 1})
    assert plain is not None
    assert plain.credential == "p"
    assert listing(_meta={key: {"roots": {}}}).capabilities != plain.capabilities  # type: ignore[union-attr]
    assert listing(_meta={key: {}, "com.example/x": 1}) is None
    assert listing(_meta={key: {"experimental": {"x": "y" * 5000}}}) is None
    assert listing(other=1) is None


def test_templates_do_not_take_the_place_of_resources() -> None:
    """Both are of one kind, and policy reads the facts of resources."""
    catalog = Catalog()
    catalog.note(METHODS["resources/list"], "a", [Entry("x://1", Raw(b'{"title":"one"}'))])
    catalog.note(METHODS["resources/templates/list"], "a", [Entry("x://{id}", Raw(b"{}"))])
    facts = catalog.facts(Target(Kind.RESOURCE, "a", "x://1"))
    assert facts is not None
    assert facts["title"] == "one"


@pytest.mark.parametrize("per_caller", [True, False])
async def test_a_server_that_is_shown_each_callers_credential_shares_no_list_among_them(
    per_caller: bool,
) -> None:
    """E62."""
    http = HttpClient(max_connections=1)
    server = HttpServer("a", "http://127.0.0.1:1/mcp", http, streams=http, per_caller=per_caller)
    one, other = Principal("p", "jwt"), Principal("p", "jwt")
    assert (server.credential(one) == server.credential(other)) is not per_caller
    await server.aclose()
