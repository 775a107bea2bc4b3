"""Sums over time in memory: what was counted under a key since a moment. Knows no rules, no calls and no ledger.

Amounts are exact: integers stay integers, and decimals are added as what their digits say, not as binary fractions.
Bounded without ever counting too little: where one key has more entries than are kept one by one, old ones are
joined and live as long as the younger of them; where there are too many keys, nothing more is counted.
"""

from collections import deque
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

from toolgate.ports import Full

ENTRIES = 10_000
"""Per key, each with a time of its own; beyond, the older half is joined in pairs."""
KEYS = 100_000

Key = tuple[str, ...]
Number = int | float


class Memory:
    """Counts in this process. Meets `ports.Tally`."""

    def __init__(self, *, entries: int = ENTRIES, keys: int = KEYS) -> None:
        self.horizon = 0.0
        self._entries = entries
        self._keys = keys
        self._counts: dict[Key, _Count] = {}

    def keep(self, seconds: float) -> None:
        """Entries are asked for up to `seconds` back."""
        self.horizon = max(self.horizon, seconds)

    def sum(self, key: Key, since: float) -> Number:
        """What was counted under `key` at `since` (Unix seconds) or later."""
        count = self._counts.get(key)
        return 0 if count is None else _plain(count.since(since))

    def count(self, key: Key, moment: float, amount: Number) -> Callable[[], None]:
        """Count `amount` at `moment`; what is returned takes it back. Raises `Full`."""
        count = self._counts.get(key)
        if count is None:
            count = self._begin(key, moment)
        return count.add(moment, _exact(amount))

    def _begin(self, key: Key, moment: float) -> "_Count":
        if len(self._counts) >= self._keys:
            old = moment - self.horizon
            self._counts = {one: count for one, count in self._counts.items() if count.newest >= old}
        if len(self._counts) >= self._keys:
            raise Full
        count = self._counts[key] = _Count(self._entries)
        return count


class _Entry:
    """One amount at one moment. Joined with a younger one, it points there."""

    __slots__ = ("amount", "expired", "into", "moment")

    def __init__(self, moment: float, amount: Fraction) -> None:
        self.moment = moment
        self.amount = amount
        self.into: _Entry | None = None
        self.expired = False


class _Count:
    """The entries of one key, oldest first."""

    __slots__ = ("_bound", "_entries", "_total", "newest")

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._entries: deque[_Entry] = deque()
        self._total = Fraction(0)
        self.newest = 0.0

    def since(self, moment: float) -> Fraction:
        while self._entries and self._entries[0].moment < moment:
            old = self._entries.popleft()
            old.expired = True
            self._total -= old.amount
        return self._total

    def add(self, moment: float, amount: Fraction) -> Callable[[], None]:
        # Kept in order of time also where the clock was set back: an entry then lives longer, never shorter.
        moment = max(moment, self.newest)
        self.newest = moment
        entry = _Entry(moment, amount)
        self._entries.append(entry)
        self._total += amount
        if len(self._entries) > self._bound:
            self._join()
        return lambda: self._give_back(entry, amount)

    def _give_back(self, entry: _Entry, amount: Fraction) -> None:
        while entry.into is not None:
            entry = entry.into
        if not entry.expired:
            entry.amount -= amount
            self._total -= amount

    def _join(self) -> None:
        entries = list(self._entries)
        half = self._bound // 2
        for old, young in zip(entries[:half:2], entries[1 : half + 1 : 2], strict=False):
            young.amount += old.amount
            old.into = young
        self._entries = deque(entry for entry in entries if entry.into is None)


def _exact(amount: Number) -> Fraction:
    return Fraction(amount) if isinstance(amount, int) else Fraction(Decimal(repr(amount)))


def _plain(total: Fraction) -> Number:
    return total.numerator if total.denominator == 1 else float(total)
