"""The words of a condition."""

import pytest
from policy_support import ANALYST, call, policy_of, rule, tool

from toolgate.policy.cel import Language
from toolgate.policy.vocabulary import FUNCTIONS, VARIABLES, Stage, collect, stage_of

EXAMPLE = {
    "note": "abc",
    "items": [1, 2],
    "count": "4",
    "amount": 12500,
    "since": "2026-11-01T00:00:00Z",
    "names": ["a"],
    "day": "2026-11-20",
    "ip": "10.1.2.3",
    "file": "2026/november.csv",
    "url": "https://api.example.com/v1/users/7",
    "query": "SELECT id FROM orders",
}


@pytest.mark.parametrize("name", FUNCTIONS)
async def test_every_function_listed_works_as_its_example_says(name: str) -> None:
    example, _ = FUNCTIONS[name]
    judge = policy_of(rule(example))
    decision = await judge.decide(ANALYST, tool("bank/read"), call(EXAMPLE))
    assert decision.errors == ()


@pytest.mark.parametrize("name", VARIABLES)
def test_every_variable_listed_can_be_read(name: str) -> None:
    text = {"string": f'{name} == ""', "int": f"{name} == 1", "timestamp": f"{name} == {name}"}.get(
        VARIABLES[name].type, f"size({name}) == 0"
    )
    reads, complaints = collect(Language().compile(text).paths)
    assert (dict(reads), complaints) == ({name: None}, [])


def test_a_field_that_cannot_exist_is_named_with_the_likely_one() -> None:
    _, complaints = collect([("tool", "nam"), ("client", "port"), ("args", "anything")])
    assert complaints == [
        "`tool` has no `nam`. Did you mean `name`?",
        "`client` has no `port`. It has: ip, name.",
    ]


def test_reading_the_whole_swallows_reading_a_key() -> None:
    for paths in ([("args", "a"), ("args",)], [("args",), ("args", "a")]):
        assert collect(paths)[0] == {"args": None}


def test_what_the_catalogue_knows_of_a_tool_comes_later_than_its_name() -> None:
    assert stage_of("tool", frozenset({"name"})) is Stage.SETTLED
    assert stage_of("tool", frozenset({"name", "annotations"})) is Stage.CATALOG
    assert stage_of("tool", None) is Stage.CATALOG
