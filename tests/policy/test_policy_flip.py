"""The cheapest change that turns a decision (E7)."""

from typing import Any

import pytest
from policy_support import ANALYST, NOBODY, NOON, call, policy, tool

from toolgate.model import Principal
from toolgate.policy.explain import explain

TEXT = """
rules:
  - {id: small, subjects: {roles: [staff]}, tools: ["bank/pay"], when: args.amount <= 100, effect: allow}
  - {id: named, tools: ["bank/read"], when: args.region == "eu" && args.deep.level > 3, effect: allow}
  - {id: office, tools: ["bank/open"], when: now.hour >= 8 && now.hour < 10, effect: allow}
  - {id: boss, subjects: {roles: [boss], tenants: [acme]}, tools: ["bank/close"], effect: allow}
  - {id: close, tasks: [closing], tools: ["bank/post"], when: args.n == 7, effect: allow}
"""


@pytest.mark.parametrize(
    ("to", "args", "by", "says"),
    [
        ("bank/pay", {"amount": 500}, ANALYST, "args.amount = 100; then it is allow by small"),
        ("bank/pay", {"amount": 50}, ANALYST, "args.amount = 101; then it is deny by the default"),
        ("bank/pay", {"amount": 50}, NOBODY, "with role staff; then it is allow by small"),
        (
            "bank/pay",
            {"amount": 500},
            NOBODY,
            "with role staff, and args.amount = 100; then it is allow by small",
        ),
        (
            "bank/read",
            {"region": "us", "deep": {"level": 9}},
            NOBODY,
            "args.region = 'eu'; then it is allow by named",
        ),
        (
            "bank/read",
            {"region": "eu", "deep": {"level": 3}},
            NOBODY,
            "args.deep.level = 4; then it is allow by named",
        ),
        ("bank/open", {}, NOBODY, "at Sunday 08:00 UTC; then it is allow by office"),
        ("bank/close", {}, NOBODY, "with tenant acme and role boss; then it is allow by boss"),
        ("bank/post", {"n": 1}, NOBODY, "with task closing, and args.n = 7; then it is allow by close"),
    ],
)
def test_the_cheapest_change_is_found_and_holds(to: str, args: Any, by: Principal, says: str) -> None:
    hints = explain(policy(TEXT), by, tool(to), call(args), lambda: NOON).hints
    assert hints[0] == f"Cheapest change: {says}."


def test_where_nothing_turns_it_nothing_is_claimed() -> None:
    hints = explain(policy(TEXT), ANALYST, tool("bank/unknown"), call({})).hints
    assert hints == ("No rule allows this target to anybody.",)
