"""Lists of many servers joined into one: whole, filtered, remembered while they hold, no worse for a bad server."""

import json
from collections import Counter

import pytest
from aggregate_support import Aggregate, listing, names, pages, result, stateless, text, tool
from http_peer import Peer

TOOLS = ("tools/list", "tools")


def test_a_client_that_never_asks_for_page_two_sees_everything(gateway: Aggregate, a: Peer) -> None:
    """P9.4, P9.3, E52: the empty string is a cursor as any other."""
    following = {None: "", "": "2", "2": None}
    pages(a, *TOOLS, lambda cursor: ([tool(f"page-{cursor}")], following[cursor]))
    listed = gateway.ask("tools/list")
    assert names(listed) == ["a__page-None", "a__page-", "a__page-2"]
    assert "nextCursor" not in listed
    assert gateway.ask("tools/list", {"cursor": "2"})["error"]["code"] == -32602


def test_a_list_without_end_is_cut_and_its_server_named(gateway: Aggregate, a: Peer, b: Peer) -> None:
    """E52."""
    pages(a, *TOOLS, lambda cursor: ([tool(f"t{cursor or 0}")], str(int(cursor or 0) + 1)))
    listing(b, *TOOLS, [tool("b")])
    listed = gateway.ask("tools/list")
    assert len(listed["tools"]) == 101
    assert listed["_meta"]["io.toolgate/missing"] == [{"server": "a", "reason": "too_many_entries"}]
    assert listed["ttlMs"] == 0


def test_a_cursor_that_comes_back_ends_the_walk(gateway: Aggregate, a: Peer) -> None:
    """E52."""
    pages(a, *TOOLS, lambda cursor: ([tool(f"t{cursor}")], "again"))
    assert names(gateway.ask("tools/list")) == ["a__tNone", "a__tagain"]


@pytest.mark.usefixtures("forgetting")
def test_a_server_that_answers_no_list_is_missing_and_nothing_is_remembered_as_whole(
    gateway: Aggregate, a: Peer, b: Peer
) -> None:
    """E53."""
    listing(a, *TOOLS, [tool("here")], ttlMs=60_000, cacheScope="public")
    b.answers["tools/list"] = lambda _: (500, "broken", {})
    listed = gateway.ask("tools/list")
    assert (names(listed), listed["ttlMs"]) == (["a__here"], 0)
    assert [one["server"] for one in listed["_meta"]["io.toolgate/missing"]] == ["b-b"]
    listing(b, *TOOLS, [tool("back")])
    assert names(gateway.ask("tools/list")) == ["a__here", "b-b__back"]


def test_the_filter_of_lists_is_the_filter_of_everything_else(gateway: Aggregate, a: Peer) -> None:
    """E54: nobody reaches by name, URI, completion or subscription what no list shows."""
    listing(a, *TOOLS, [tool("open"), tool("closed")])
    listing(a, "prompts/list", "prompts", [{"name": "open"}, {"name": "closed"}])
    listing(a, "resources/list", "resources", [{"uri": "x://open"}, {"uri": "x://closed"}])
    assert names(gateway.ask("tools/list", key="guest")) == ["a__open"]
    assert names(gateway.ask("prompts/list", key="guest"), "prompts") == ["a__open"]
    assert names(gateway.ask("resources/list", key="guest"), "resources", "uri") == ["a+x://open"]
    argument = {"name": "n", "value": "v"}
    for method, closed in (
        ("tools/call", {"name": "a__closed", "arguments": {}}),
        ("prompts/get", {"name": "a__closed"}),
        ("resources/read", {"uri": "a+x://closed"}),
        ("completion/complete", {"ref": {"type": "ref/prompt", "name": "a__closed"}, "argument": argument}),
        (
            "completion/complete",
            {"ref": {"type": "ref/resource", "uri": "a+x://closed"}, "argument": argument},
        ),
    ):
        before = len(a.asked)
        assert gateway.ask(method, closed, key="guest")["error"]["code"] == -32602
        assert len(a.asked) == before
        opened = json.loads(json.dumps(closed).replace("closed", "open"))
        assert "error" not in gateway.ask(method, opened, key="guest")


def test_an_empty_page_of_a_filtered_list_is_a_list(gateway: Aggregate, a: Peer) -> None:
    """E54."""
    pages(a, *TOOLS, lambda cursor: ([tool("open" if cursor else "closed")], None if cursor else "2"))
    assert names(gateway.ask("tools/list", key="guest")) == ["a__open"]


@pytest.mark.usefixtures("forgetting")
def test_a_list_holds_as_long_as_its_server_says_and_is_shared_by_who_cannot_be_told_apart(
    gateway: Aggregate, a: Peer, b: Peer
) -> None:
    """P9.1, E62: filtered for each caller all the same, and therefore private."""
    listing(a, *TOOLS, [tool("open"), tool("closed")], ttlMs=60_000, cacheScope="public")
    listing(b, *TOOLS, [tool("b")], ttlMs=3_600_000, cacheScope="private")
    first = gateway.ask("tools/list")
    assert (first["cacheScope"], 0 < first["ttlMs"] <= 60_000) == ("private", True)
    assert names(gateway.ask("tools/list", key="other")) == names(first)
    assert names(gateway.ask("tools/list", key="guest")) == ["a__open"]
    again = gateway.ask("tools/list")
    assert again["ttlMs"] <= first["ttlMs"]
    assert Counter(a.methods())["tools/list"] == Counter(b.methods())["tools/list"] == 1
    alone = gateway.ask("tools/list", door="/servers/a/mcp")
    assert (alone["cacheScope"], names(alone)) == ("private", ["open", "closed"])
    assert Counter(a.methods())["tools/list"] == 1


@pytest.mark.usefixtures("forgetting")
def test_what_may_depend_on_more_than_we_know_is_not_remembered(gateway: Aggregate, a: Peer) -> None:
    """E62: another set of capabilities, or a key of `_meta` that an extension may read."""
    listing(a, *TOOLS, [tool("t")], ttlMs=3_600_000, cacheScope="public")
    url = "/servers/a/mcp"
    for _ in range(2):
        gateway.ask("prompts/list", door=url)
        gateway.ask("tools/list", {"x-own": 1}, door=url)
    assert Counter(a.methods())["tools/list"] == 2
    assert Counter(a.methods())["prompts/list"] == 2


def test_calls_are_never_answered_from_memory(gateway: Aggregate, a: Peer) -> None:
    """E62."""
    a.answers["tools/call"] = lambda _: (
        200,
        {"result": {"content": [], "ttlMs": 9999, "cacheScope": "public"}},
        {},
    )
    for _ in range(2):
        gateway.ask("tools/call", {"name": "a__t", "arguments": {}})
    assert Counter(a.methods())["tools/call"] == 2


@pytest.mark.usefixtures("forgetting")
def test_an_absurd_time_is_cut_to_a_day_and_a_negative_one_is_none(
    gateway: Aggregate, a: Peer, b: Peer
) -> None:
    """P9.2, E86."""
    door = "/servers/a/mcp"
    for said, told in ((-5, 0), ("soon", 0), (True, 0), (1.5, 0), (10**15, 86_400_000)):
        listing(a, *TOOLS, [tool("t")], ttlMs=said, cacheScope="private")
        listed = gateway.ask("tools/list", door=door)
        assert told - 60_000 <= listed["ttlMs"] <= told


def test_a_schema_arrives_as_it_was_written_and_a_result_that_breaks_it_too(
    gateway: Aggregate, a: Peer
) -> None:
    """P9.6, E64."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$defs": {"x": {"$anchor": "here", "type": "integer"}},
        "type": "object",
        "properties": {"n": {"$ref": "http://127.0.0.1:1/never-fetched"}},
        "x-unknown": [1e2, 12345678901234567890],
    }
    listing(a, *TOOLS, [tool("t", inputSchema=schema, outputSchema=schema)])
    listed = gateway.ask("tools/list")["tools"][0]
    assert listed["inputSchema"] == listed["outputSchema"] == schema
    a.answers["tools/call"] = lambda _: result({"content": [], "structuredContent": {"n": "no integer"}})
    called = gateway.ask("tools/call", {"name": "a__t", "arguments": {}})
    assert called["structuredContent"] == {"n": "no integer"}


def test_the_door_promises_what_some_server_and_the_gateway_can_do(
    gateway: Aggregate, a: Peer, b: Peer
) -> None:
    """P4.2, E56: and who stands behind a door of its own passes as it is."""
    stateless(a, {"tools": {"listChanged": True}, "x-own": {}, "extensions": {"com.example/x": {}}})
    stateless(b, {"resources": {"subscribe": True, "x": True}, "tools": {}, "logging": {}})
    together = gateway.ask("server/discover")
    assert together["capabilities"] == {
        "tools": {"listChanged": True},
        "resources": {"subscribe": True},
        "logging": {},
    }
    alone = gateway.ask("server/discover", door="/servers/a/mcp")["capabilities"]
    assert alone == {"tools": {"listChanged": True}, "x-own": {}, "extensions": {"com.example/x": {}}}


def test_instructions_say_whose_they_are_and_have_an_end(gateway: Aggregate, a: Peer, b: Peer) -> None:
    """E57: they are words of strangers."""
    stateless(a, instructions="Use me.")
    stateless(b, instructions="x" * 100_000)
    said = gateway.ask("server/discover")["instructions"]
    assert said.startswith("## a\nUse me.\n\n## b-b\nxxx")
    assert len(said) <= 16 * 1024


def test_prompts_with_the_same_name_are_two_prompts(gateway: Aggregate, a: Peer, b: Peer) -> None:
    """E61."""
    for peer in (a, b):
        listing(peer, "prompts/list", "prompts", [{"name": "same"}])
    assert names(gateway.ask("prompts/list"), "prompts") == ["a__same", "b-b__same"]
    assert gateway.ask("prompts/get", {"name": "b-b__same"})["description"] == "same"
    assert "prompts/get" not in a.methods()


def test_answers_come_from_no_server_twice(gateway: Aggregate, a: Peer) -> None:
    """One inbound call is one upstream execution."""
    a.answers["tools/call"] = lambda _: text("once")
    gateway.ask("tools/call", {"name": "a__t", "arguments": {}})
    assert Counter(a.methods())["tools/call"] == 1
