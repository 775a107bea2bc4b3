"""Runs the `tests:` of policy files against a policy. Prints nothing."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from toolgate.model import Call, Decision, Effect, Kind, Principal, Target, Task
from toolgate.policy.decisions import Policy
from toolgate.policy.document import Caller, CallText, Case, Source, TaskText
from toolgate.ports import Clock

METHODS = {Kind.TOOL: "tools/call", Kind.RESOURCE: "resources/read", Kind.PROMPT: "prompts/get"}
REVISION = "2026-07-28"
"""The revision of a case's call: none is written, so the current one."""


class CaseResult(Struct, frozen=True):
    """How one case went."""

    name: str
    passed: bool
    expected: str
    got: str
    rule: str | None
    """What decided; None: no rule did."""
    errors: tuple[str, ...]
    file: str
    line: int


def run_cases(policy: Policy, sources: Sequence[Source]) -> list[CaseResult]:
    """Every case of every file, in the order written."""
    return [
        _run(policy, source, at, case) for source in sources for at, case in enumerate(source.document.tests)
    ]


def principal_of(caller: Caller) -> Principal:
    """The principal that a written caller stands for."""
    return Principal(
        id="case",
        method="case",
        agent=caller.agent,
        user=caller.user,
        tenant=caller.tenant,
        roles=caller.roles,
        scopes=caller.scopes,
        tags=caller.tags,
        task=_task_of(caller.task),
        asserted_task=caller.asserted_task,
        claims=caller.claims,
    )


def _task_of(task: str | TaskText | None) -> Task | None:
    if task is None:
        return None
    return Task(task) if isinstance(task, str) else Task(task.id, task.name, task.attributes, task.tools)


def target_of(text: CallText) -> Target:
    """What a written call aims at; `Kind.SERVER` where it is a method alone."""
    for kind, name in ((Kind.TOOL, text.tool), (Kind.RESOURCE, text.resource), (Kind.PROMPT, text.prompt)):
        if name is not None:
            server, _, rest = name.partition("/")
            return Target(kind, server, rest)
    return Target(Kind.SERVER, "", "")


def call_of(text: CallText, target: Target) -> Call:
    """The call, as it would have come in."""
    method = text.method or METHODS[target.kind]
    key = "uri" if target.kind is Kind.RESOURCE else "name"
    params: dict[str, Any] = {key: target.name, "arguments": text.args}
    return Call(
        revision=REVISION, door=target.server, method=method, body=b"", params=params, name=target.name
    )


def _run(policy: Policy, source: Source, at: int, case: Case) -> CaseResult:
    file, line, _ = source.locate(("tests", at))
    decision = _decide(policy, case)
    got = decision.effect.value
    if case.expect in ("visible", "hidden"):
        got = "hidden" if decision.effect is Effect.DENY else "visible"
    passed = got == case.expect
    return CaseResult(case.name, passed, case.expect, got, decision.rule, decision.errors, file, line)


def _decide(policy: Policy, case: Case) -> Decision:
    question = asked(case)
    if question is None:
        # No rule judges a method that aims at nothing: it is open to whoever is let in.
        return Decision(Effect.ALLOW, policy=policy.version)
    return policy.judge(*question)


def asked(case: Case) -> tuple[Principal, Target, Call | None, Clock | None] | None:
    """What a case asks the policy; None where it aims at nothing that rules judge."""
    target = target_of(case.call)
    if target.kind is Kind.SERVER:
        return None
    principal = principal_of(case.caller)
    if case.expect in ("visible", "hidden"):
        return principal, target, None, None
    return principal, target, call_of(case.call, target), _clock_of(case)


def _clock_of(case: Case) -> Clock | None:
    moment = case.at
    return None if moment is None else moment.timestamp
