"""Policies from text, and callers and calls to ask them about."""

from collections.abc import Mapping
from typing import Any

import yaml

from toolgate.model import Call, Decision, Kind, Principal, Session, Target
from toolgate.policy.compilation import compile_policies
from toolgate.policy.decisions import Policy
from toolgate.policy.document import Document, Path, Place, Source

NOON = 1_795_262_400.0
"""2026-11-21T12:00:00Z, a Saturday."""

ANALYST = Principal(
    "p1",
    "jwt",
    agent="reporter",
    user="ada",
    tenant="acme",
    roles=("finance-analyst", "staff"),
    scopes=("mcp:tools",),
    tags=("low-risk",),
    claims={"department": "finance", "groups": ["a", "b"]},
)
NOBODY = Principal("p0", "anonymous")


def source(text: str, file: str = "policy.yaml") -> Source:
    """A source whose places are its key paths: `rules.0.when` is found in line 1, column 2."""

    def locate(path: Path) -> Place:
        return file, 1 + next((part for part in path if isinstance(part, int)), 0), 2

    return Source(Document.model_validate(yaml.safe_load(text)), locate)


def policy(text: str, **kwargs: Any) -> Policy:
    return compile_policies([source("version: 1\n" + text)], **{"clock": lambda: NOON, **kwargs})


def rule(when: str | None = None, effect: str = "allow", **more: Any) -> dict[str, Any]:
    """A rule about every tool."""
    condition = {} if when is None else {"when": when}
    return {"id": f"the-{effect}", "effect": effect, "tools": ["*"], **condition, **more}


def policy_of(
    *rules: Mapping[str, Any], default: str | None = None, combine: str | None = None, **kwargs: Any
) -> Policy:
    document = Document.model_validate({"version": 1, "rules": rules, "default": default, "combine": combine})
    written = Source(document, lambda path: ("policy.yaml", 1, 1))
    return compile_policies([written], **{"clock": lambda: NOON, **kwargs})


def tool(text: str) -> Target:
    server, _, name = text.partition("/")
    return Target(Kind.TOOL, server, name)


def call(args: Any = None, **fields: Any) -> Call:
    params = {"name": "x", "arguments": {} if args is None else args}
    given = {"revision": "2026-07-28", "door": "", "method": "tools/call", "body": b"", "params": params}
    return Call(**{**given, **fields})


def session(name: str) -> Session:
    return Session("s", "p1", "2025-06-18", {}, {"name": name}, 0.0)


async def ask(judge: Policy, args: Any = None, *, by: Principal = ANALYST, to: str = "bank/read") -> Decision:
    return await judge.decide(by, tool(to), call(args))


async def see(judge: Policy, *, by: Principal = ANALYST, to: str = "bank/read") -> Decision:
    return await judge.decide(by, tool(to))
