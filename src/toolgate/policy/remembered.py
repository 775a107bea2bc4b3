"""Plans already made, bounded. Forgetting one costs its making again, nothing else."""

from toolgate.model import Principal, Target
from toolgate.policy.plan import Plan

PRINCIPALS = 4_096
TARGETS = 4_096
"""Per principal: resource URIs come from callers and have no end."""
PLANS = 262_144
"""Altogether: some 120 bytes each, since targets and plans are mostly shared."""


class Remembered:
    """Plans by principal and target. Principals are told apart as objects, and held."""

    def __init__(self, *, principals: int = PRINCIPALS, targets: int = TARGETS, plans: int = PLANS) -> None:
        self._principals = principals
        self._targets = targets
        self._plans = plans
        self._count = 0
        self._shelves: dict[Principal, dict[Target, Plan]] = {}

    def __len__(self) -> int:
        return self._count

    def get(self, principal: Principal, target: Target) -> Plan | None:
        """The plan, if it is still known."""
        shelf = self._shelves.get(principal)
        return shelf.get(target) if shelf is not None else None

    def put(self, principal: Principal, target: Target, plan: Plan) -> None:
        """Remember it; where there are too many, the oldest go."""
        shelf = self._shelves.setdefault(principal, {})
        if len(shelf) >= self._targets:
            del shelf[next(iter(shelf))]
            self._count -= 1
        self._count += target not in shelf
        shelf[target] = plan
        while len(self._shelves) > self._principals or self._count > self._plans:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        oldest = next(iter(self._shelves))
        self._count -= len(self._shelves.pop(oldest))
