"""Sums and counts over a window: `total.transfers_today` in conditions. Knows when to count, not where.

The value in a condition holds the call before us, and an allowed call is counted before anything else is decided,
so calls at the same time cannot pass together. What was counted is taken back where the call did nothing.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct

from toolgate.model import Hold, Kind, Principal, Target
from toolgate.policy.cel import Failed
from toolgate.policy.condition import Condition
from toolgate.policy.facts import Situation
from toolgate.policy.patterns import Glob
from toolgate.ports import Full, Tally

Start = Callable[[float], float]
"""From now (Unix seconds) to where the window begins."""

PER: Mapping[str, Callable[[Principal], str | None]] = {
    "agent": lambda principal: principal.agent,
    "user": lambda principal: principal.user,
    "tenant": lambda principal: principal.tenant,
    "task": lambda principal: principal.task.id if principal.task else None,
    "everybody": lambda principal: "*",
}
"""Whom one sum is kept for; None: the caller has no such thing, so there is no sum."""

_LONGEST_MONTH = 31 * 86_400.0 + 7_200.0


def rolling(seconds: float) -> Start:
    """The last so many seconds."""
    return lambda now: now - seconds


def calendar(period: str, zone: ZoneInfo) -> Start:
    """Since midnight, or since the first of the month, in a time zone."""

    def start(now: float) -> float:
        local = datetime.fromtimestamp(now, zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        return (local.replace(day=1) if period == "month" else local).timestamp()

    return start


def longest(period: str) -> float:
    """Seconds that a calendar window can last."""
    return _LONGEST_MONTH if period == "month" else timedelta(days=1, hours=2).total_seconds()


class Total(Struct, frozen=True, eq=False):
    """One sum, compiled."""

    id: str
    patterns: tuple[tuple[Glob, Glob], ...]
    """Server and tool of the calls it counts."""
    amount: Condition | None
    """What a call adds; None: one."""
    per: str
    start: Start
    seconds: float
    """How long the window is at most."""

    def counts(self, target: Target) -> bool:
        """Whether a call to this target adds to it."""
        return target.kind is Kind.TOOL and any(
            server.fits(target.server) and name.fits(target.name) for server, name in self.patterns
        )

    def key(self, principal: Principal) -> tuple[str, str, str] | None:
        """Under which it is kept for this caller."""
        value = PER[self.per](principal)
        return None if value is None else (self.id, self.per, value)

    def added_by(self, situation: Situation) -> int | float | Failed:
        """What the call adds."""
        if not self.counts(situation.target):
            return 0
        if self.amount is None:
            return 1
        amount = self.amount.number(situation)
        if isinstance(amount, Failed):
            return amount
        # A negative amount would make room for others.
        if not math.isfinite(amount) or amount < 0:
            return Failed("the amount is negative, or no number")
        return amount


class Totals:
    """All sums of a policy, over one tally."""

    def __init__(self, totals: Sequence[Total], tally: Tally) -> None:
        self._totals = {total.id: total for total in totals}
        self._tally = tally
        for total in totals:
            tally.keep(total.seconds)

    def about(self, target: Target) -> tuple[Total, ...]:
        """Those that a call to this target adds to."""
        return tuple(total for total in self._totals.values() if total.counts(target))

    def value(self, id: str, situation: Situation) -> int | float | None:
        """The sum with this call in it; None where it cannot be known."""
        total = self._totals[id]
        key = total.key(situation.principal)
        added = total.added_by(situation)
        if key is None or situation.now is None or isinstance(added, Failed):
            return None
        return self._tally.sum(key, total.start(situation.now)) + added

    def hold(self, totals: Sequence[Total], situation: Situation) -> Hold | str | None:
        """Count this call in each of `totals`; why it cannot be counted, in words; None where none is about the
        caller."""
        assert situation.now is not None
        counted: dict[str, Any] = {}
        undo: list[Callable[[], object]] = []
        for total in totals:
            key, added = total.key(situation.principal), total.added_by(situation)
            if key is None:
                continue
            failed = added.text if isinstance(added, Failed) else self._count(key, situation.now, added, undo)
            if failed is not None:
                _all(undo)
                return f"{total.id}: {failed}"
            counted[total.id] = [total.per, added]
        return Hold(counted, lambda: _all(undo)) if counted else None

    def _count(
        self, key: tuple[str, ...], now: float, amount: Any, undo: list[Callable[[], object]]
    ) -> str | None:
        try:
            undo.append(self._tally.count(key, now, amount))
        except Full:
            return "there are too many callers to count for"
        return None


def _all(acts: Sequence[Callable[[], object]]) -> None:
    for act in acts:
        act()
