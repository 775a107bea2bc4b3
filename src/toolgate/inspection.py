"""What the commands ask of a config without running it: is it right, what would it decide, do its tests pass."""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from msgspec import structs
from pydantic import BaseModel, ValidationError

from toolgate import authorization, registered
from toolgate.compiler import build, new_kit, read_policies, read_policy, sql_dialects
from toolgate.config.load import Loaded, load
from toolgate.config.schema import GatewayConfig
from toolgate.errors import ConfigError, Problem
from toolgate.model import Call, Kind, Principal, Target
from toolgate.policy.cases import CaseResult, call_of, principal_of, run_cases, target_of
from toolgate.policy.ceiling import Ceilings
from toolgate.policy.compilation import compile_policies, written_rules
from toolgate.policy.coverage import Coverage, cover
from toolgate.policy.decisions import Policy
from toolgate.policy.diff import Diff, diff
from toolgate.policy.document import Caller, CallText, Source
from toolgate.policy.explain import Explanation, explain
from toolgate.policy.lint import Surroundings, costs, lint
from toolgate.policy.replay import Replayed, replay
from toolgate.policy.sight import Sight, look
from toolgate.policy.step_up import StepUp
from toolgate.ports import Decide
from toolgate.protocol.methods import METHODS
from toolgate.survey import METHOD, survey
from toolgate.upstreams.auth import authorized
from toolgate.upstreams.http_client import HttpClient

SURVEY_SECONDS = 10.0
"""How long servers have to list their tools."""

Model = TypeVar("Model", bound=BaseModel)


def inspect(path: Path) -> list[str]:
    """Lines on a config that is right. Raises `ConfigError` with every problem of one that is not."""
    loaded = load(path)
    policy = _policy_of(loaded)
    servers = [name for name, server in loaded.value.servers.items() if not server.disabled]
    tasks = frozenset(loaded.value.tasks.declared)
    return [
        f"{path}: right. {len(servers)} servers ({', '.join(servers)}), {len(policy.rules)} rules, "
        f"policy {policy.version}",
        *(f"warning: {problem}" for problem in lint(policy, Surroundings(frozenset(servers), tasks))),
        *(f"{cost.rule:40} {cost.word}" for cost in costs(policy)),
    ]


def explained(path: Path, caller: Any, call: Any) -> Explanation:
    """The decision for one call, now. Raises `ConfigError` also for a caller or call that cannot be read."""
    loaded = load(path)
    policy = _policy_of(loaded)
    who, what = _written(Caller, caller, "the caller"), _written(CallText, call, "the call")
    target, principal = target_of(what), principal_of(who)
    asked = call_of(what, target)
    one = explain(policy, principal, target, asked, time.time)
    limited = registered.ceilings(loaded.value.identity, authorization.demanded(loaded.value.servers, policy))
    return asyncio.run(_limited(limited, one, principal, target, asked))


def sight(path: Path, caller: Any) -> Sight:
    """What a caller sees of the servers of a config, which are asked for their tools.

    A server that does not answer within `SURVEY_SECONDS` is missing, not an error. Raises `ConfigError`.
    """
    loaded = load(path)
    return asyncio.run(_sight(loaded, principal_of(_written(Caller, caller, "the caller"))))


async def _sight(loaded: Loaded[GatewayConfig], principal: Principal) -> Sight:
    kit = new_kit(HttpClient(max_connections=8), "")
    try:
        snapshot = (await build(loaded, kit)).snapshot
        authorized.caller.set(principal)
        doors = [door for door in snapshot.doors.values() if not door.shared]
        found, missing = await survey(doors, principal, seconds=SURVEY_SECONDS)
        names: dict[str, list[str]] = {}
        for server, entries in found.items():
            unusable = kit.catalog.note(METHODS[METHOD], server, entries)
            names[server] = [entry.name for entry in entries if entry.name not in unusable]
        seen = look(_rules_of(snapshot.policy), principal, names, missing)
        tools = [
            await _limited(snapshot.policy, one, principal, Target(Kind.TOOL, *one.target.split("/", 1)))
            for one in seen.tools
        ]
        return structs.replace(seen, tools=tuple(tools))
    finally:
        await kit.pool.aclose()
        await kit.http.aclose()


def _rules_of(policy: Decide) -> Policy:
    """The rules below what limits them."""
    while isinstance(policy, Ceilings | StepUp):
        policy = policy.policy
    assert isinstance(policy, Policy)
    return policy


async def _limited(
    policy: Decide, one: Explanation, principal: Principal, target: Target, call: Call | None = None
) -> Explanation:
    """The explanation under what limits the rules: the ceiling of an agent, scopes that a server demands."""
    if policy is _rules_of(policy):
        return one
    decision = await policy.decide(principal, target, call)
    if decision.effect is one.decision.effect:
        return one
    return structs.replace(
        one, decision=decision, hints=(f"{decision.rule} decides, whatever the rules say",)
    )


def _written(model: type[Model], data: Any, what: str) -> Model:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise ConfigError([Problem(f"{what}: {error}")]) from None


def _policy_of(loaded: Loaded[GatewayConfig]) -> Policy:
    return _compiled(read_policies(loaded), loaded.value)


def _compiled(sources: Sequence[Source], config: GatewayConfig | None) -> Policy:
    if config is None:
        return compile_policies(sources)
    return compile_policies(sources, environment=dict(config.environment), dialects=sql_dialects(config))


def tested(paths: Sequence[Path], config: Path | None) -> list[CaseResult]:
    """The cases of policy files and folders, judged by all of them together, under a config's environment and
    SQL dialects where one is named. Raises `ConfigError`."""
    sources = _sources(paths)
    return run_cases(_candidate(sources, config), sources)


def covered(paths: Sequence[Path], config: Path | None) -> Coverage:
    """What the cases of policy files reach. Raises `ConfigError`."""
    sources = _sources(paths)
    return cover(_candidate(sources, config), sources)


def compared(before: Path, after: Path, config: Path | None) -> Diff:
    """Two policies, each a file or a folder. Raises `ConfigError`."""
    old, new = _sources([before]), _sources([after])
    return diff(_candidate(old, config), _candidate(new, config), written_rules(old), written_rules(new))


def replayed(records: Iterable[Mapping[str, Any]], paths: Sequence[Path], config: Path | None) -> Replayed:
    """What policy files would have decided for recorded calls. Raises `ConfigError`."""
    return replay(_candidate(_sources(paths), config), records)


def _candidate(sources: Sequence[Source], config: Path | None) -> Policy:
    return _compiled(sources, None if config is None else load(config).value)


def _sources(paths: Sequence[Path]) -> list[Source]:
    files = [file for path in paths for file in (sorted(path.glob("*.yaml")) if path.is_dir() else [path])]
    if not files:
        raise ConfigError([Problem(f"no policy file in {', '.join(map(str, paths))}.")])
    return [read_policy(file) for file in files]
