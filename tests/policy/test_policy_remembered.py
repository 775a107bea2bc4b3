"""Memory of plans, and its bounds."""

from policy_support import tool

from toolgate.model import Decision, Effect, Principal
from toolgate.policy.plan import Plan
from toolgate.policy.remembered import Remembered

PLAN = Plan((), Decision(Effect.DENY))


def principals(count: int) -> list[Principal]:
    """Equal in everything, and still different callers."""
    return [Principal("p", "jwt") for _ in range(count)]


def test_a_plan_is_found_again_for_the_same_object_and_an_equal_target() -> None:
    one, other = principals(2)
    memory = Remembered()
    memory.put(one, tool("a/b"), PLAN)
    assert memory.get(one, tool("a/b")) is PLAN
    assert memory.get(one, tool("a/c")) is None
    assert memory.get(other, tool("a/b")) is None


def test_the_oldest_principal_is_forgotten() -> None:
    first, *others = principals(4)
    memory = Remembered(principals=3)
    for principal in (first, *others):
        memory.put(principal, tool("a/b"), PLAN)
    assert memory.get(first, tool("a/b")) is None
    assert all(memory.get(principal, tool("a/b")) is PLAN for principal in others)
    assert len(memory) == 3


def test_a_caller_asking_for_ever_new_names_costs_no_more_memory() -> None:
    """A resource URI is the caller's to choose."""
    (principal,) = principals(1)
    memory = Remembered(targets=10)
    for number in range(100):
        memory.put(principal, tool(f"a/{number}"), PLAN)
    assert len(memory) == 10
    assert memory.get(principal, tool("a/99")) is PLAN


def test_plans_are_bounded_altogether() -> None:
    memory = Remembered(plans=25)
    for principal in principals(10):
        for number in range(10):
            memory.put(principal, tool(f"a/{number}"), PLAN)
            assert len(memory) <= 25
