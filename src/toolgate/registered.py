"""The keys of `identity.agents` become who is admitted and what is allowed at most. Part of the compiler."""

from collections.abc import Awaitable, Callable

from toolgate.config.schema_identity import Agent, Identity
from toolgate.identity.agents import Agents
from toolgate.identity.live import Live
from toolgate.model import Call, Kind, Principal
from toolgate.policy.ceiling import Ceiling, Ceilings
from toolgate.ports import Decide


class Everybody:
    """Where no agent is registered, nobody is looked up."""

    def __init__(self, identify: Callable[[Call], Awaitable[Principal]]) -> None:
        self.identify = identify

    def refused(self, principal: Principal) -> None:
        """Nobody is."""


def agents(
    identity: Identity, identify: Callable[[Call], Awaitable[Principal]], live: Live
) -> Agents | Everybody:
    """Who is admitted of those that `identify` knows."""
    only_registered = identity.unregistered_agents == "deny"
    if not identity.agents and not only_registered:
        return Everybody(identify)
    active = {name: agent.state == "active" for name, agent in identity.agents.items()}
    return Agents(identify, active, live, only_registered=only_registered)


def ceilings(identity: Identity, policy: Decide) -> Decide:
    """The policy below the ceilings of agents."""
    found = {name: _ceiling(agent) for name, agent in identity.agents.items()}
    limited = {name: ceiling for name, ceiling in found.items() if ceiling is not None}
    return Ceilings(policy, limited) if limited else policy


def _ceiling(agent: Agent) -> Ceiling | None:
    lists = {Kind.TOOL: agent.tools, Kind.RESOURCE: agent.resources, Kind.PROMPT: agent.prompts}
    named = {kind: patterns for kind, patterns in lists.items() if patterns is not None}
    return Ceiling(named) if named else None
