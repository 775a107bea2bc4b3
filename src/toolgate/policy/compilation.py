"""Policy documents in, a policy out, or every problem in them. Reads no file."""

import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from toolgate.errors import ConfigError, Problem
from toolgate.model import Decision, Effect, Kind
from toolgate.policy.cel import NUMBER, TRUTH, CompileError, Gives, Language, Program
from toolgate.policy.condition import Condition
from toolgate.policy.decisions import Policy, know_nothing, spoken
from toolgate.policy.document import CALENDAR, Aim, ListRuleText, Path, RuleText, Source
from toolgate.policy.facts import ToolFacts
from toolgate.policy.patterns import Glob, split_pattern
from toolgate.policy.rules import KINDS, Rule
from toolgate.policy.tally import Memory
from toolgate.policy.totals import Total, Totals, calendar, longest, rolling
from toolgate.policy.vocabulary import Reads, Stage, collect, stage_of, suggest
from toolgate.ports import Clock, Tally

FIRST_MATCH = "first-match"
_SHOWN = {"show": Effect.ALLOW, "hide": Effect.DENY}
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def compile_policies(
    sources: Sequence[Source],
    *,
    environment: Mapping[str, Any] | None = None,
    facts: ToolFacts = know_nothing,
    dialects: Mapping[str, str] | None = None,
    tally: Tally | None = None,
    clock: Clock = time.time,
) -> Policy:
    """One policy from all documents. No documents: everything is denied. `dialects` are those of SQL, by server;
    `tally` is where totals are kept: left out, they begin with this policy.

    Raises `ConfigError` with every problem found.
    """
    problems = [*_duplicates(sources), *_disagreements(sources)]
    default = _agreed(sources, "default") or "deny"
    first_match = _agreed(sources, "combine") == FIRST_MATCH
    version = _version(sources, default, first_match=first_match)
    reason = _agreed(sources, "reason")
    compiler = _Compiler(version, problems, dialects or {}, reason)
    totals = [compiler.total(source, at) for source in sources for at in range(len(source.document.totals))]
    rules = [
        compiler.rule(source, ("rules", at), text)
        for source in sources
        for at, text in enumerate(source.document.rules)
    ]
    lists = [
        compiler.list_rule(source, at, text)
        for source in sources
        for at, text in enumerate(source.document.lists)
    ]
    if problems:
        raise ConfigError(problems)
    of = partial(Policy, version=version, environment=dict(environment or {}), facts=facts)
    about_lists = [rule for rule in lists if rule is not None]
    return of(
        [rule for rule in rules if rule is not None],
        default=Effect(default),
        reason=reason,
        first_match=first_match,
        lists=of(about_lists, default=Effect.DEPENDS, first_match=True) if about_lists else None,
        totals=Totals([one for one in totals if one is not None], tally or Memory()) if totals else None,
        clock=clock,
    )


class _Compiler:
    """Compiles rules one by one and keeps a list of what is wrong with them."""

    def __init__(
        self, version: str, problems: list[Problem], dialects: Mapping[str, str], reason: Any
    ) -> None:
        self._version = version
        self._dialects = dialects
        self._reason = reason
        self._totals: set[str] = set()
        self._problems = problems
        self._language: Language | None = None
        self._count = 0

    def rule(self, source: Source, path: Path, text: RuleText) -> Rule | None:
        """The compiled rule, or None with its problems noted."""
        return self._rule(source, path, text, self._decision(Effect(text.effect), text))

    def list_rule(self, source: Source, at: int, text: ListRuleText) -> Rule | None:
        """The same for a rule about lists. It must be answerable before there is a call."""
        shown = Decision(_SHOWN[text.effect], rule=text.id, policy=self._version)
        rule = self._rule(source, ("lists", at), text, shown)
        if rule is not None and rule.condition is not None and rule.condition.stage is Stage.CALL:
            late = [name for name, keys in rule.condition.reads.items() if stage_of(name, keys) is Stage.CALL]
            words = f"A list knows no {', '.join(f'`{name}`' for name in sorted(late))}: no call is made yet."
            self._problems.append(_problem(source, ("lists", at, "when"), words))
        return rule

    def _rule(self, source: Source, path: Path, text: Aim, decision: Decision) -> Rule | None:
        before = len(self._problems)
        patterns = self._patterns(source, path, text)
        condition = self._condition(source, (*path, "when"), text.when) if text.when else None
        if len(self._problems) > before:
            return None
        self._count += 1
        return Rule(
            id=text.id,
            effect=decision.effect,
            asks=tuple((kind, frozenset(values)) for kind, values in _asks(text)),
            patterns=patterns,
            condition=condition,
            decision=decision,
            order=self._count,
            place=source.locate(path),
        )

    def total(self, source: Source, at: int) -> Total | None:
        """The compiled total, or None with its problems noted. Totals come before the rules that read them."""
        text = source.document.totals[at]
        before = len(self._problems)
        self._check_patterns(source, ("totals", at, "tools"), text.tools)
        if text.id in self._totals:
            self._problems.append(
                _problem(source, ("totals", at, "id"), f"There is a total `{text.id}` already.")
            )
        self._totals.add(text.id)
        path = ("totals", at, "sum")
        amount = self._condition(source, path, text.sum, gives=NUMBER) if text.sum else None
        if amount is not None and "total" in amount.reads:
            self._problems.append(_problem(source, path, "A total cannot read totals."))
        if len(self._problems) > before:
            return None
        calendric = text.window in CALENDAR
        seconds = longest(text.window) if calendric else int(text.window[:-1]) * _SECONDS[text.window[-1]]
        return Total(
            id=text.id,
            patterns=tuple((Glob(server), Glob(name)) for server, name in map(split_pattern, text.tools)),
            amount=amount,
            per=text.per,
            start=calendar(text.window, ZoneInfo(text.zone)) if calendric else rolling(seconds),
            seconds=seconds,
        )

    def _patterns(self, source: Source, path: Path, text: Aim) -> dict[Kind, tuple[str, ...]]:
        lists = {"tools": text.tools, "resources": text.resources, "prompts": text.prompts}
        for key, patterns in lists.items():
            self._check_patterns(source, (*path, key), patterns)
        kinds = (Kind.TOOL, Kind.RESOURCE, Kind.PROMPT)
        return {kind: patterns for kind, patterns in zip(kinds, lists.values(), strict=True) if patterns}

    def _decision(self, effect: Effect, text: RuleText) -> Decision:
        reason = text.reason or (self._reason if effect is Effect.DENY else None)
        return Decision(effect, rule=text.id, policy=self._version, **spoken(reason))

    def _check_patterns(self, source: Source, path: Path, patterns: Sequence[str]) -> None:
        for number, pattern in enumerate(patterns):
            try:
                split_pattern(pattern)
            except ValueError as error:
                self._problems.append(_problem(source, (*path, number), str(error)))

    def _condition(self, source: Source, path: Path, text: str, *, gives: Gives = TRUTH) -> Condition | None:
        # Made on first need: a policy without conditions runs where the library has no build.
        if self._language is None:
            self._language = Language()
        try:
            program = self._language.compile(text, gives=gives)
        except CompileError as error:
            self._problems += [_problem(source, path, complaint) for complaint in error.complaints]
            return None
        reads, complaints = collect(program.paths)
        complaints += self._unknown_totals(reads)
        self._problems += [_problem(source, path, complaint) for complaint in complaints]
        return Condition(text, program, reads, self._by_server(text, program))

    def _unknown_totals(self, reads: Reads) -> Iterator[str]:
        keys = reads.get("total", frozenset())
        if keys is None:
            yield "Totals are read one by one, as `total.<id>`."
        for key in sorted((keys or frozenset()) - self._totals):
            hint = suggest(key, sorted(self._totals)) or "Declare it under `totals:`."
            yield f"There is no total `{key}`. {hint}"

    def _by_server(self, text: str, program: Program) -> dict[str, Program]:
        if not any(call.name == "sql" and len(call.constants) == 1 for call in program.calls):
            return {}
        assert self._language is not None
        return {server: self._language.compile(text, dialect) for server, dialect in self._dialects.items()}


def _asks(text: Aim) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What a rule asks of a caller, the most telling first."""
    subjects = text.subjects.model_dump() if text.subjects else {}
    named = {**subjects, "tasks": text.tasks, "asserted_tasks": text.asserted_tasks}
    for kind in KINDS:
        if named.get(kind):
            yield kind, named[kind]


def _duplicates(sources: Sequence[Source]) -> Iterator[Problem]:
    """Rules that share an id: a record could not say which of them decided."""
    seen: dict[str, str] = {}
    for source in sources:
        document = source.document
        paths: list[tuple[Path, Aim]] = [(("rules", at), rule) for at, rule in enumerate(document.rules)]
        paths += [(("lists", at), rule) for at, rule in enumerate(document.lists)]
        for path, rule in paths:
            file, line, _ = source.locate((*path, "id"))
            if rule.id in seen:
                text = f"The id `{rule.id}` is taken by the rule at {seen[rule.id]}."
                yield _problem(source, (*path, "id"), text)
            seen.setdefault(rule.id, f"{file}:{line}")


def _disagreements(sources: Sequence[Source]) -> Iterator[Problem]:
    """Files that want different defaults or combinations: order of files must mean nothing."""
    for key in ("default", "combine", "reason"):
        agreed = _agreed(sources, key)
        for source in sources:
            value = getattr(source.document, key)
            if value not in (None, agreed):
                yield _problem(
                    source, (key,), f"Another policy file says `{key}: {agreed}`; one must hold for all."
                )
    with_rules = [source for source in sources if source.document.rules]
    if _agreed(sources, "combine") == FIRST_MATCH and len(with_rules) > 1:
        for source in with_rules[1:]:
            text = "With `combine: first-match` all rules stand in one file, since their order decides."
            yield _problem(source, ("rules",), text)
    for source in [source for source in sources if source.document.lists][1:]:
        yield _problem(source, ("lists",), "All `lists:` stand in one file, since their order decides.")


def _agreed(sources: Sequence[Source], key: str) -> Any:
    """What the first file that says anything says."""
    values = (getattr(source.document, key) for source in sources)
    return next((value for value in values if value is not None), None)


def _version(sources: Sequence[Source], default: str, *, first_match: bool) -> str:
    """A hash of all that decides: not of file names, comments, tests, or an order that means nothing."""
    rules = [_canonical(rule) for source in sources for rule in source.document.rules]
    if not first_match:
        rules.sort(key=lambda rule: str(rule["id"]))
    content: dict[str, Any] = {"default": default, "first_match": first_match, "rules": rules}
    lists = [_canonical(rule) for source in sources for rule in source.document.lists]
    if lists:
        content["lists"] = lists
    totals = [one.model_dump() for source in sources for one in source.document.totals]
    if (reason := _agreed(sources, "reason")) is not None:
        content["reason"] = reason
    if totals:
        content["totals"] = sorted(totals, key=lambda total: str(total["id"]))
    return f"sha256:{sha256(msgspec.json.encode(content, order='sorted')).hexdigest()[:16]}"


def written_rules(sources: Sequence[Source]) -> dict[str, dict[str, Any]]:
    """Rules as written, by id, with what means nothing (order, spelling of defaults) taken out."""
    return {rule.id: _canonical(rule) for source in sources for rule in source.document.rules}


def _canonical(rule: Aim) -> dict[str, Any]:
    written = rule.model_dump(exclude_defaults=True)
    written["subjects"] = {kind: sorted(values) for kind, values in (written.get("subjects") or {}).items()}
    return {
        key: sorted(value) if isinstance(value, tuple) else value for key, value in sorted(written.items())
    }


def _problem(source: Source, path: Path, text: str) -> Problem:
    file, line, column = source.locate(path)
    return Problem(text, file=file, line=line, column=column, key=".".join(str(part) for part in path))
