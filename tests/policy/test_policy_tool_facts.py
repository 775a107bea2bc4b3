"""What conditions know of tools: the server's word, and the config's over it."""

from typing import Any

import msgspec
import pytest
from policy_support import policy_of, rule, see, tool

from toolgate.catalog.tools import Catalog
from toolgate.model import Effect
from toolgate.policy.patterns import Glob
from toolgate.policy.tool_facts import Said, overlaid
from toolgate.protocol.merge import Entry
from toolgate.protocol.methods import METHODS


def catalog(**tools: dict[str, Any]) -> Catalog:
    listed = Catalog()
    entries = [
        Entry(name, msgspec.Raw(msgspec.json.encode({"name": name, **one}))) for name, one in tools.items()
    ]
    listed.note(METHODS["tools/list"], "bank", entries)
    return listed


@pytest.mark.parametrize(
    ("meta", "tags"),
    [
        ({"fastmcp": {"tags": ["money", "write"]}}, ["money", "write"]),
        ({"_fastmcp": {"tags": ["money"]}}, ["money"]),
        ({"fastmcp": "odd", "_fastmcp": {"tags": ["money", 7]}}, ["money"]),
        ({"fastmcp": {"tags": "money"}}, []),
        ("odd", []),
        (None, []),
    ],
)
def test_tags_are_read_where_servers_put_them(meta: Any, tags: list[str]) -> None:
    facts = catalog(read={"_meta": meta}).facts(tool("bank/read"))
    assert facts == {"title": "", "annotations": {}, "tags": tags}


def test_the_config_counts_where_both_speak() -> None:
    listed = catalog(
        pay={
            "annotations": {"destructiveHint": False, "title": "Pay"},
            "_meta": {"fastmcp": {"tags": ["safe"]}},
        }
    )
    said = [
        Said(Glob("*"), annotations={"openWorldHint": False}),
        Said(Glob("pay"), annotations={"destructiveHint": True}, tags=("money",)),
    ]
    assert overlaid(listed.facts, {"bank": said})(tool("bank/pay")) == {
        "title": "",
        "annotations": {"destructiveHint": True, "title": "Pay", "openWorldHint": False},
        "tags": ["money"],
    }
    assert overlaid(listed.facts, {"bank": said})(tool("crm/pay")) is None


async def test_what_the_config_says_is_known_before_the_server_is_listed_and_what_only_the_server_says_is_not() -> (
    None
):
    facts = overlaid(Catalog().facts, {"bank": [Said(Glob("pay"), tags=("money",), annotations={"x": True})]})
    for when, effect in (
        ('"money" in tool.tags', Effect.ALLOW),
        ('!("money" in tool.tags)', Effect.DENY),
        ("tool.annotations.x", Effect.DENY),
        ("!has(tool.annotations.destructiveHint)", Effect.DENY),
    ):
        assert (await see(policy_of(rule(when), facts=facts), to="bank/pay")).effect is effect
