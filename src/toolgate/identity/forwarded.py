"""Callers that a proxy in front has signed in: `x-forwarded-user`, from the proxies that are believed only."""

from toolgate.errors import Refusal
from toolgate.identity.proxies import Proxies
from toolgate.model import Call, Principal

_MAX_USER = 256
_KEPT = 10_000


class Forwarded:
    """Accepts the user a proxy names, where the call carries no credential of its own."""

    def __init__(self, proxies: Proxies) -> None:
        self._proxies = proxies
        self._known: dict[str, Principal] = {}

    async def identify(self, call: Call) -> Principal | None:
        """The principal of that user; None where no proxy that is believed names one.

        Raises `Refusal` for a name that is none.
        """
        shown = call.shown
        if shown is None or shown.forwarded_user is None or call.authorization or call.api_key:
            return None
        if not self._proxies.sent(call):
            return None
        user = shown.forwarded_user
        if not user or len(user) > _MAX_USER or not user.isprintable():
            raise Refusal.unauthenticated("the proxy names a user that is no name")
        principal = self._known.get(user)
        if principal is None:
            if len(self._known) >= _KEPT:
                self._known.pop(next(iter(self._known)))
            principal = self._known[user] = Principal(id=f"proxy:{user}", method="proxy", user=user)
        return principal
