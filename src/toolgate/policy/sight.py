"""What a caller sees: every known tool with its decision, as a list would decide it. Asks nobody for tools."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from toolgate.model import Effect, Kind, Principal, Target
from toolgate.policy.decisions import Policy
from toolgate.policy.explain import Explanation, explain
from toolgate.policy.patterns import split_pattern


class Sight(Struct, frozen=True):
    """The tools of all servers for one caller."""

    policy: str
    tools: tuple[Explanation, ...]
    missing: Mapping[str, str]
    """Servers whose tools are not known but where a policy names them, and why."""

    def lines(self) -> list[str]:
        """For people."""
        width = max((len(one.target) for one in self.tools), default=0)
        lines = [f"{one.target:{width}}  {one.decision.effect:8}{_why(one)}" for one in self.tools]
        lines += [f"{server}: its tools could not be listed: {why}" for server, why in self.missing.items()]
        counts = Counter(one.decision.effect for one in self.tools)
        told = ", ".join(f"{counts[effect]} {effect}" for effect in Effect if counts[effect])
        seen = len(self.tools) - counts[Effect.DENY]
        return [
            *lines,
            f"sees {seen} of {len(self.tools)} tools ({told or 'none is known'}); policy {self.policy}",
        ]

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        return {
            "policy": self.policy,
            "tools": [one.as_dict() for one in self.tools],
            "missing": dict(self.missing),
        }


def look(
    policy: Policy, principal: Principal, tools: Mapping[str, Iterable[str]], missing: Mapping[str, str]
) -> Sight:
    """The tools of these servers, and what policies name of the servers that are `missing`."""
    known = {server: list(names) for server, names in tools.items()}
    known |= {server: _named_in(policy, server) for server in missing}
    targets = [Target(Kind.TOOL, server, name) for server, names in known.items() for name in names]
    return Sight(policy.version, tuple(explain(policy, principal, target) for target in targets), missing)


def _named_in(policy: Policy, server: str) -> list[str]:
    patterns = [split_pattern(text) for rule in policy.rules for text in rule.patterns.get(Kind.TOOL, ())]
    return sorted({name for where, name in patterns if where == server and "*" not in name})


def _why(one: Explanation) -> str:
    if one.decision.effect is Effect.DEPENDS:
        return "; ".join(one.hints)
    return f"by {one.decision.rule}" if one.decision.rule else "by no rule: the default holds"
