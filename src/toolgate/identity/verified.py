"""Which principal a verified credential belongs to, for a while. Bounded; knows digests, no credentials."""

from collections import OrderedDict

from toolgate.model import Principal


class Verified:
    """Principals by digest of their credential; the least recently used one goes first."""

    def __init__(self, capacity: int = 10_000) -> None:
        self._capacity = capacity
        self._known: OrderedDict[bytes, tuple[Principal, float]] = OrderedDict()

    def current(self, digest: bytes, now: float) -> Principal | None:
        """The principal, if its credential needs no new check."""
        entry = self._known.get(digest)
        if entry is None or now >= entry[1]:
            return None
        self._known.move_to_end(digest)
        return entry[0]

    def former(self, digest: bytes) -> Principal | None:
        """The principal, also if its credential has to be checked again."""
        entry = self._known.get(digest)
        return entry[0] if entry is not None else None

    def keep(self, digest: bytes, principal: Principal, until: float) -> None:
        """Believe in it until then (unix seconds)."""
        self._known[digest] = (principal, until)
        self._known.move_to_end(digest)
        if len(self._known) > self._capacity:
            self._known.popitem(last=False)

    async def aclose(self) -> None:
        """Believe nobody any more."""
        self._known.clear()
