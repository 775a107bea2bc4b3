"""What an agent may touch at most, whatever the rules allow its users. Knows no rule and no credential."""

from collections.abc import Mapping, Sequence

from toolgate.model import Call, Decision, Effect, Kind, Principal, Target
from toolgate.policy.patterns import Glob, split_pattern
from toolgate.ports import Decide


class Ceiling:
    """Targets by kind; a kind that is not named has no ceiling."""

    def __init__(self, patterns: Mapping[Kind, Sequence[str]]) -> None:
        """`server/name` patterns. Raises `ValueError` with a sentence for people."""
        self._globs = {
            kind: tuple((Glob(server), Glob(name)) for server, name in map(split_pattern, texts))
            for kind, texts in patterns.items()
        }

    def holds(self, target: Target) -> bool:
        """Whether the target is below it."""
        globs = self._globs.get(target.kind)
        if globs is None:
            return True
        return any(server.fits(target.server) and name.fits(target.name) for server, name in globs)


class Ceilings:
    """Meets `ports.Decide`: the decision of the policy, but never above the ceiling of the agent."""

    def __init__(self, policy: Decide, ceilings: Mapping[str, Ceiling]) -> None:
        self.version = policy.version
        self.reads_catalog = policy.reads_catalog
        self.policy = policy
        self._ceilings = dict(ceilings)

    async def decide(self, principal: Principal, target: Target, call: Call | None = None) -> Decision:
        """See `Decide.decide`."""
        ceiling = self._ceilings.get(principal.agent or "")
        if ceiling is not None and not ceiling.holds(target):
            return Decision(Effect.DENY, rule=f"identity.agents.{principal.agent}", policy=self.version)
        return await self.policy.decide(principal, target, call)
