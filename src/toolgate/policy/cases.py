"""The tests that stand beside rules: each is one decision, asked as the gateway would ask it. Reads no file."""

from collections.abc import Sequence
from typing import Any

import orjson
from msgspec import Struct

from toolgate.model import Call, Effect, Kind, Principal, Target, Task
from toolgate.policy.decisions import Policy
from toolgate.policy.document import Caller, CallText, Case, Source, TaskText

_METHODS = {Kind.TOOL: "tools/call", Kind.RESOURCE: "resources/read", Kind.PROMPT: "prompts/get"}
_REVISION = "2026-07-28"


class CaseResult(Struct, frozen=True):
    """How one case ended."""

    name: str
    passed: bool
    expected: str
    got: str
    rule: str | None
    place: str
    """`file:line`."""

    def lines(self) -> list[str]:
        """For people."""
        if self.passed:
            return [f"ok    {self.name}"]
        why = f"by rule {self.rule}" if self.rule else "since no rule matched"
        return [f"FAIL  {self.name} ({self.place}): expected {self.expected}, got {self.got} {why}"]

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        return {field: getattr(self, field) for field in self.__struct_fields__}


def run_cases(policy: Policy, sources: Sequence[Source]) -> list[CaseResult]:
    """Every case of these documents, in their order."""
    return [
        _run(policy, case, source.locate(("tests", at)))
        for source in sources
        for at, case in enumerate(source.document.tests)
    ]


def _run(policy: Policy, case: Case, place: tuple[str, int, int]) -> CaseResult:
    principal, target = principal_of(case.caller), target_of(case.call)
    moment = None if case.at is None else case.at.timestamp()
    listing = case.expect in ("visible", "hidden")
    call = None if listing else call_of(case.call)
    decision = policy.judge(principal, target, call, None if moment is None else (lambda: moment))
    got: str = decision.effect.value
    if listing:
        got = "hidden" if decision.effect is Effect.DENY else "visible"
    return CaseResult(
        case.name, got == case.expect, case.expect, got, decision.rule, f"{place[0]}:{place[1]}"
    )


def principal_of(caller: Caller) -> Principal:
    """The caller a case describes."""
    task = caller.task
    if isinstance(task, TaskText):
        task = Task(task.id, task.name, task.attributes)
    elif task is not None:
        task = Task(task)
    return Principal(
        id="case",
        method="case",
        agent=caller.agent,
        user=caller.user,
        tenant=caller.tenant,
        roles=caller.roles,
        scopes=caller.scopes,
        tags=caller.tags,
        task=task,
        claims=caller.claims,
    )


def target_of(call: CallText) -> Target:
    """What a case's call aims at."""
    for kind, text in ((Kind.TOOL, call.tool), (Kind.RESOURCE, call.resource), (Kind.PROMPT, call.prompt)):
        if text is not None:
            server, _, name = text.partition("/")
            return Target(kind, server, name)
    return Target(Kind.SERVER, "", "")


def call_of(text: CallText) -> Call:
    """The call a case describes."""
    target = target_of(text)
    field = "uri" if target.kind is Kind.RESOURCE else "name"
    params = {field: target.name, "arguments": text.args}
    return Call(
        revision=_REVISION,
        door="",
        method=text.method or _METHODS.get(target.kind, "server/discover"),
        body=orjson.dumps({"params": params}),
        params=params,
        id=b"1",
        name=target.name,
    )
