"""Names and URIs of many servers behind one door: each leads back to where it came from."""

import json

import pytest
from aggregate_support import Aggregate, listing, names, result, tool
from http_peer import Peer


def test_the_same_name_of_two_servers_is_two_tools(gateway: Aggregate, a: Peer, b: Peer) -> None:
    """P16.2, P9.5, E48."""
    for peer in (a, b):
        listing(peer, "tools/list", "tools", [tool("same")])
    assert names(gateway.ask("tools/list")) == ["a__same", "b-b__same"]
    gateway.ask("tools/call", {"name": "b-b__same", "arguments": {}})
    assert (a.methods().count("tools/call"), b.asked[-1].message["params"]["name"]) == (0, "same")


def test_the_first_separator_divides_since_no_servers_name_holds_one(gateway: Aggregate, a: Peer) -> None:
    """E48: `a` + `b__c` is not `a__b` + `c`."""
    listing(a, "tools/list", "tools", [tool("b__c"), tool("__x")])
    assert names(gateway.ask("tools/list")) == ["a__b__c", "a____x"]
    for name in ("b__c", "__x"):
        gateway.ask("tools/call", {"name": f"a__{name}", "arguments": {}})
        assert a.asked[-1].message["params"]["name"] == name


ODD = ["x" * 128, "x" * 127 + "y", "with space/and+signs", "grüße", "ends-like-an-alias-0123456789"]


@pytest.mark.parametrize(
    ("method", "field", "get"), [("tools", "tools", "tools/call"), ("prompts", "prompts", "prompts/get")]
)
def test_a_name_that_hosts_refuse_has_an_alias_that_leads_back(
    gateway: Aggregate, a: Peer, method: str, field: str, get: str
) -> None:
    """E49, E61: also after a restart, when nobody has listed yet."""
    listing(a, f"{method}/list", field, [tool(name) for name in ODD])
    shown = names(gateway.ask(f"{method}/list"), field)
    assert len(set(shown)) == len(ODD)
    assert all(len(name) <= 64 and name.isascii() and " " not in name for name in shown)
    assert shown[-1] == f"a__{ODD[-1]}"
    for again in (False, True):
        if again:
            gateway.stop()
            gateway.start()
        for name, own in zip(shown, ODD, strict=True):
            gateway.ask(get, {"name": name, "arguments": {}})
            assert a.asked[-1].message["params"]["name"] == own
    assert gateway.ask(get, {"name": "a__nothing-0123456789", "arguments": {}})


def test_names_that_differ_only_in_case_are_different_names(gateway: Aggregate, a: Peer) -> None:
    """E50: and whoever runs the gateway is warned."""
    listing(a, "tools/list", "tools", [tool("Read"), tool("read")])
    assert names(gateway.ask("tools/list")) == ["a__Read", "a__read"]
    gateway.ask("tools/call", {"name": "a__Read", "arguments": {}})
    assert a.asked[-1].message["params"]["name"] == "Read"
    assert "a: tools/list has names that differ only in case" in gateway.log()


def test_of_a_name_that_one_server_lists_twice_the_first_is_kept(gateway: Aggregate, a: Peer) -> None:
    """E51."""
    listing(a, "tools/list", "tools", [tool("twice", title="first"), tool("twice", title="second")])
    listed = gateway.ask("tools/list")["tools"]
    assert [one["title"] for one in listed] == ["first"]
    assert "a: tools/list has a name twice" in gateway.log()


def test_uris_carry_their_server_wherever_a_client_may_read_them(
    gateway: Aggregate, a: Peer, b: Peer
) -> None:
    """P14.1, E58."""
    listing(
        a,
        "resources/list",
        "resources",
        [{"uri": "x://1", "name": "one"}, {"uri": "ui://app/1", "name": "ui"}],
    )
    listing(b, "resources/list", "resources", [{"uri": "git+ssh://1", "name": "one"}])
    listing(
        a, "resources/templates/list", "resourceTemplates", [{"uriTemplate": "{+path}{?q}", "name": "all"}]
    )
    assert names(gateway.ask("resources/list"), "resources", "uri") == [
        "a+x://1",
        "ui://a/app/1",
        "b-b+git+ssh://1",
    ]
    templates = gateway.ask("resources/templates/list")
    assert names(templates, "resourceTemplates", "uriTemplate") == ["a+{+path}{?q}"]
    for shown, peer, own in (
        ("a+x://1", a, "x://1"),
        ("ui://a/app/1", a, "ui://app/1"),
        ("b-b+git+ssh://1", b, "git+ssh://1"),
    ):
        read = gateway.ask("resources/read", {"uri": shown})
        assert read["contents"][0]["uri"] == shown
        assert peer.asked[-1].message["params"]["uri"] == own
        assert peer.asked[-1].headers["mcp-name"] == own


def test_uris_in_results_are_those_of_the_door_and_texts_stay_as_they_are(
    gateway: Aggregate, a: Peer
) -> None:
    """E58."""
    ui = {
        "_meta": {"ui": {"resourceUri": "ui://app/1", "visibility": ["app"]}, "ui/resourceUri": "ui://app/1"}
    }
    content = [
        {"type": "text", "text": '"uri":"x://1"'},
        {"type": "resource_link", "uri": "x://1", "name": "one"},
        {"type": "resource", "resource": {"uri": "x://1", "text": "x"}},
    ]
    listing(a, "tools/list", "tools", [tool("app", **ui)])
    a.answers["tools/call"] = lambda _: result(
        {"content": content, "structuredContent": {"uri": "x://1"}, **ui}
    )
    a.answers["prompts/get"] = lambda _: result({"messages": [{"role": "user", "content": content[2]}]})
    called = gateway.ask("tools/call", {"name": "a__app", "arguments": {}})
    for has_ui in (gateway.ask("tools/list")["tools"][0], called):
        assert has_ui["_meta"]["ui"] == {"resourceUri": "ui://a/app/1", "visibility": ["app"]}
        assert has_ui["_meta"]["ui/resourceUri"] == "ui://a/app/1"
    assert called["content"][0] == content[0]
    assert called["content"][1]["uri"] == called["content"][2]["resource"]["uri"] == "a+x://1"
    assert called["structuredContent"] == {"uri": "x://1"}
    prompt = gateway.ask("prompts/get", {"name": "a__p"})
    assert prompt["messages"][0]["content"]["resource"]["uri"] == "a+x://1"
    alone = gateway.ask("tools/call", {"name": "app", "arguments": {}}, door="/servers/a/mcp")
    assert alone["content"] == content


def test_a_resource_that_no_list_holds_is_found_by_its_server(gateway: Aggregate, a: Peer) -> None:
    """E59: links and templates lead to such."""
    assert gateway.ask("resources/read", {"uri": "a+x://from/a/link"})["contents"][0]["text"] == "x"
    assert a.asked[-1].message["params"]["uri"] == "x://from/a/link"


@pytest.mark.parametrize(
    ("ref", "own"),
    [
        ({"type": "ref/prompt", "name": "a__p"}, {"type": "ref/prompt", "name": "p"}),
        ({"type": "ref/resource", "uri": "a+x://{id}"}, {"type": "ref/resource", "uri": "x://{id}"}),
    ],
)
def test_a_completion_goes_where_its_reference_leads(
    gateway: Aggregate, a: Peer, ref: dict[str, str], own: dict[str, str]
) -> None:
    """E60."""
    asked = {"ref": ref, "argument": {"name": "id", "value": "1"}}
    found = gateway.ask("completion/complete", asked)
    assert json.loads(found["completion"]["values"][0]) == own
    assert (
        gateway.ask("completion/complete", {**asked, "ref": {"type": "ref/prompt", "name": "z__p"}})["error"][
            "code"
        ]
        == -32602
    )
    assert gateway.ask("completion/complete", {**asked, "ref": {}})["error"]["code"] == -32602
