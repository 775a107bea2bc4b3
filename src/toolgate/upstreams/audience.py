"""Who listens to a server beside its calls: a session each. Knows no message and starts nothing."""

from collections.abc import Hashable
from weakref import WeakValueDictionary

from toolgate.errors import Refusal
from toolgate.upstreams.mailbox import Mailbox

LIMIT = 64
"""Sessions that may listen to one channel."""


class Audience:
    """One mailbox per session and channel. A reader who lets go of its mailbox has left."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._seats: dict[Hashable, WeakValueDictionary[str, Mailbox]] = {}

    def join(self, key: Hashable, session: str) -> Mailbox:
        """The mailbox of a session from now on; the one before ends, so nothing is split over both (E30)."""
        self.leave(key, session)
        if self._present(key) >= LIMIT:
            raise Refusal.unavailable(f"{self._name}: {LIMIT} sessions of this principal listen already")
        mailbox = Mailbox()
        self._seats.setdefault(key, WeakValueDictionary())[session] = mailbox
        return mailbox

    def leave(self, key: Hashable, session: str) -> None:
        """The session listens no more."""
        seats = self._seats.get(key)
        mailbox = seats.pop(session, None) if seats is not None else None
        if mailbox is not None:
            mailbox.close()
        self._present(key)

    def tell(self, key: Hashable, message: bytes) -> None:
        """A message for everybody who listens to this channel."""
        for mailbox in self._seats.get(key, {}).values():
            mailbox.put(message, may_be_lost=True)

    def listens(self, key: Hashable) -> bool:
        """Whether anybody listens to this channel."""
        return self._present(key) > 0

    def close(self) -> None:
        """End every mailbox."""
        for seats in self._seats.values():
            for mailbox in seats.values():
                mailbox.close()
        self._seats.clear()

    def _present(self, key: Hashable) -> int:
        present = sum(not mailbox.closed for mailbox in self._seats.get(key, {}).values())
        if not present:
            self._seats.pop(key, None)
        return present
