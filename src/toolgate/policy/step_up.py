"""Scopes that servers demand of a caller's token. A caller who lacks one is told which, so as to ask for more.

Knows no rule and no token; a tool that the policy hides stays hidden.
"""

from collections.abc import Mapping

from toolgate.model import Call, Decision, Effect, Kind, Principal, Target
from toolgate.policy.patterns import Glob
from toolgate.ports import Decide


class StepUp:
    """Meets `ports.Decide`: the policy's decision, once the caller has the scopes."""

    def __init__(self, policy: Decide, demands: Mapping[str, Mapping[str, tuple[str, ...]]]) -> None:
        """`demands`: scopes by server and pattern of a tool's name; every pattern that fits adds its own."""
        self.version = policy.version
        self.reads_catalog = policy.reads_catalog
        self.policy = policy
        self._demands = {
            server: tuple((Glob(pattern), scopes) for pattern, scopes in patterns.items())
            for server, patterns in demands.items()
        }

    async def decide(self, principal: Principal, target: Target, call: Call | None = None) -> Decision:
        """See `Decide.decide`. Lists show what a caller may ask for."""
        if call is None or target.kind is not Kind.TOOL or target.server not in self._demands:
            return await self.policy.decide(principal, target, call)
        scopes = self._demanded(target)
        if scopes <= set(principal.scopes):
            return await self.policy.decide(principal, target, call)
        listed = await self.policy.decide(principal, target)
        if listed.effect is Effect.DENY:
            return listed
        rule = f"servers.{target.server}.scopes"
        return Decision(Effect.DENY, rule=rule, policy=self.version, scopes=tuple(sorted(scopes)))

    def _demanded(self, target: Target) -> set[str]:
        return {
            scope
            for glob, scopes in self._demands[target.server]
            if glob.fits(target.name)
            for scope in scopes
        }
