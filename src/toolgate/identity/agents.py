"""The register of agents: which are known, and which may call at the moment. Knows no credential and no target."""

from collections.abc import Awaitable, Callable, Mapping

from toolgate.errors import DENIED, Refusal
from toolgate.identity.live import Live
from toolgate.model import Call, Principal


class Agents:
    """Admits callers whose agent is registered and active, after they are identified."""

    def __init__(
        self,
        identify: Callable[[Call], Awaitable[Principal]],
        active: Mapping[str, bool],
        live: Live,
        *,
        only_registered: bool,
    ) -> None:
        """`active` by agent. With `only_registered`, every other agent, and a caller without one, is refused."""
        self._identify = identify
        self._active = dict(active)
        self._live = live
        self._only_registered = only_registered

    async def identify(self, call: Call) -> Principal:
        """Who calls. Raises `Refusal`: 401 as `Chain.identify`, 403 for an agent that is not admitted."""
        principal = await self._identify(call)
        refusal = self.refused(principal)
        if refusal is not None:
            raise refusal
        self._live.note(principal)
        return principal

    def refused(self, principal: Principal) -> Refusal | None:
        """Why this caller is not admitted; None where it is."""
        active = self._active.get(principal.agent or "")
        if active:
            return None
        if active is None and not self._only_registered:
            return None
        why = "is not registered" if active is None else "is suspended"
        return Refusal(
            "identity",
            "forbidden",
            "This agent is not admitted.",
            code=DENIED,
            status=403,
            reason=f"the agent {principal.agent} {why}",
        )
