"""What is allowed to be written but probably not meant, and what each rule costs. Warnings only."""

from collections.abc import Iterator

from msgspec import Struct

from toolgate.errors import Problem
from toolgate.model import Effect, Kind, Principal, Target
from toolgate.policy.decisions import Policy
from toolgate.policy.index import Index
from toolgate.policy.patterns import Glob, split_pattern
from toolgate.policy.plan import RANK
from toolgate.policy.rules import KINDS, Rule
from toolgate.policy.vocabulary import Stage, suggest


class Surroundings(Struct, frozen=True):
    """What a config says besides its policies. Empty: not known, so nothing is compared with it."""

    servers: frozenset[str] = frozenset()
    tasks: frozenset[str] = frozenset()


class Cost(Struct, frozen=True):
    """What a rule costs each call it may concern."""

    rule: str
    word: str
    """`static` (decided once), `condition` (a few µs), `parses SQL` (a millisecond for a new text),
    `reads all args` (grows with the arguments)."""


def costs(policy: Policy) -> list[Cost]:
    """What each rule costs, in the order written."""
    return [Cost(rule.id, _cost(rule)) for rule in policy.rules]


def lint(policy: Policy, around: Surroundings = Surroundings()) -> list[Problem]:  # noqa: B008 - frozen
    """Rules that change nothing, and names that nobody configured, in the order written."""
    covering = Index(rule for rule in policy.rules if rule.condition is None)
    return [
        _warning(rule, text)
        for rule in policy.rules
        for text in (
            *_useless(policy, rule),
            *_unknown_keys(policy, rule),
            *_shadowed(policy, covering, rule),
            *_unknown_servers(rule, around.servers),
            *_unknown_tasks(rule, around.tasks),
            *_unread_sql(rule, around.servers),
        )
    ]


def _warning(rule: Rule, text: str) -> Problem:
    file, line, column = rule.place
    return Problem(text, file=file, line=line, column=column, key=rule.id)


def _cost(rule: Rule) -> str:
    if rule.condition is None or rule.condition.stage is Stage.SETTLED:
        return "static"
    if rule.condition.reads_sql:
        return "parses SQL"
    return "reads all args" if rule.condition.reads.get("args", ()) is None else "condition"


def _useless(policy: Policy, rule: Rule) -> Iterator[str]:
    if rule.effect is Effect.ALLOW and policy.default.effect is Effect.ALLOW and not policy.first_match:
        yield "Changes nothing: what no rule denies is allowed by `default: allow` already."
    if rule.condition is not None and not rule.condition.reads:
        nobody = policy.situation(Principal("nobody", "lint"), Target(Kind.SERVER, "", ""))
        if rule.condition.settle(nobody) is False:
            yield "Never matches: its condition is false whoever calls."


def _unknown_keys(policy: Policy, rule: Rule) -> Iterator[str]:
    keys = rule.condition.reads.get("environment") if rule.condition else None
    for key in sorted((keys or frozenset()) - policy.environment.keys()):
        yield f"Reads `environment.{key}`, which is not configured here."


def _shadowed(policy: Policy, covering: Index, rule: Rule) -> Iterator[str]:
    """Other rules that decide wherever this one could, whatever the arguments."""
    asked = {kind: frozenset[str]() for kind in KINDS} | dict(rule.asks)
    # A glob fits another glob's text only where its own `*` swallow the other's: then it covers it.
    found = [{other.order: other for other in covering.find(target, asked)} for target in _targets(rule)]
    for order, other in sorted(found[0].items()):
        everywhere = all(order in others for others in found)
        if not everywhere or other is rule or not _asks_less(other, rule):
            continue
        if _outranks(policy, other, rule):
            yield f"Never decides: `{other.id}` ({other.effect.value}) covers all it is about."
            return
        earlier = other.order < rule.order
        if other.effect is rule.effect and (earlier or (not policy.first_match and _is_wider(other, rule))):
            yield f"Adds nothing: `{other.id}` says {other.effect.value} to all it is about."
            return


def _outranks(policy: Policy, other: Rule, rule: Rule) -> bool:
    if policy.first_match:
        return other.order < rule.order
    return RANK[other.effect] < RANK[rule.effect]


def _unknown_servers(rule: Rule, servers: frozenset[str]) -> Iterator[str]:
    for texts in rule.patterns.values() if servers else ():
        for name in dict.fromkeys(split_pattern(text)[0] for text in texts):
            if not any(map(Glob(name).fits, servers)):
                hint = suggest(name, sorted(servers)) or f"There is: {', '.join(sorted(servers))}."
                yield f"`{name}` is no server of this config. {hint}"


def _unknown_tasks(rule: Rule, tasks: frozenset[str]) -> Iterator[str]:
    asked = [value for kind, values in rule.asks if kind == "tasks" for value in sorted(values)]
    for task in asked if tasks else ():
        # A credential may name tasks that no config declares, so this is worth a word only where one is near.
        if task not in tasks and (hint := suggest(task, sorted(tasks))):
            yield f"`{task}` is no declared task. {hint}"


def _unread_sql(rule: Rule, servers: frozenset[str]) -> Iterator[str]:
    condition = rule.condition
    if condition is None or not condition.needs_dialect:
        return
    globs = [Glob(split_pattern(text)[0]) for texts in rule.patterns.values() for text in texts]
    for server in sorted(servers):
        if any(glob.fits(server) for glob in globs) and not condition.knows_dialect(server):
            yield f"`sql(…)` names no dialect, and `servers.{server}.sql` is not set: the condition fails there."


def _is_wider(other: Rule, rule: Rule) -> bool:
    """Of two rules that cover each other, only the later one is worth a word."""
    return rule.condition is not None or not _asks_less(rule, other) or rule.patterns != other.patterns


def _asks_less(other: Rule, rule: Rule) -> bool:
    """Whether every caller of the one is a caller of the other."""
    asked = dict(rule.asks)
    return all(kind in asked and asked[kind] <= values for kind, values in other.asks)


def _targets(rule: Rule) -> Iterator[Target]:
    """The patterns of a rule, as if they were names."""
    for kind, texts in rule.patterns.items():
        for text in texts:
            yield Target(kind, *split_pattern(text))
