"""The smallest rules that cover what callers really did, from recorded calls. Proposes; applies nothing.

Only calls that were allowed and answered count. What a caller did without an agent id is proposed for its user;
what neither names cannot be proposed for anybody.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import yaml
from msgspec import Struct

from toolgate.policy.document import Document

_KEYS = {"tool": "tools", "resource": "resources", "prompt": "prompts"}
_DONE = frozenset({"ok", "tool_error", "error"})
_ANSWERED = frozenset({"call", "end"})


class Suggestion(Struct, frozen=True):
    """One rule that would cover what one caller did under one task."""

    id: str
    subject: tuple[str, str]
    """`agents` or `users`, and who."""
    task: str | None
    used: Mapping[str, Mapping[str, int]]
    """By `tools`, `resources` and `prompts`: what was used, and how often."""

    def as_rule(self) -> dict[str, Any]:
        """As policies write it."""
        kind, name = self.subject
        rule: dict[str, Any] = {"id": self.id, "subjects": {kind: [name]}}
        if self.task is not None:
            rule["tasks"] = [self.task]
        return {**rule, **{key: sorted(names) for key, names in self.used.items()}, "effect": "allow"}


class Suggested(Struct, frozen=True):
    """All rules, and what they leave out."""

    rules: tuple[Suggestion, ...]
    calls: int
    """Calls that they cover."""
    nameless: int
    """Calls of callers with neither agent nor user."""
    unwritable: int
    """Calls to names that hold `*`, which a rule cannot mean literally."""

    def text(self) -> str:
        """A policy file, with how often each thing was used."""
        lines = [
            f"# Proposed from {self.calls} recorded calls. Review before use: what was done is not what is right.",
            f"# Left out: {self.nameless} calls of callers without a name, {self.unwritable} to names with `*`.",
            "version: 1",
            "default: deny",
            "rules:" if self.rules else "rules: []",
        ]
        for rule in self.rules:
            for key, names in rule.used.items():
                lines += [f"  # {count} x {name}" for name, count in _by_count(names)] if key else []
            block = yaml.safe_dump([rule.as_rule()], sort_keys=False, allow_unicode=True, width=100)
            lines += [f"  {line}" for line in block.rstrip().split("\n")]
        return "\n".join(lines) + "\n"


def suggest(records: Iterable[Mapping[str, Any]]) -> Suggested:
    """From records as JSON says them, in any order."""
    used: dict[tuple[str, str, str | None], dict[str, Counter[str]]] = {}
    calls = nameless = unwritable = 0
    for record in records:
        key = _KEYS.get(record.get("kind", ""))
        if key is None or not _counts(record):
            continue
        subject = _subject(record)
        name = f"{record.get('server')}/{record.get('target')}"
        if subject is None:
            nameless += 1
        elif "*" in name or "*" in subject[1]:
            unwritable += 1
        else:
            calls += 1
            used.setdefault((*subject, record.get("task")), {}).setdefault(key, Counter())[name] += 1
    rules = tuple(
        Suggestion(
            f"suggested-{number}", (kind, name), task, {key: by[key] for key in _KEYS.values() if key in by}
        )
        for number, ((kind, name, task), by) in enumerate(sorted(used.items(), key=_order), start=1)
    )
    suggested = Suggested(rules, calls, nameless, unwritable)
    # What is proposed can be loaded.
    Document.model_validate(yaml.safe_load(suggested.text()))
    return suggested


def _counts(record: Mapping[str, Any]) -> bool:
    allowed = record.get("decision") == "allow" and record.get("outcome") in _DONE
    return allowed and record.get("event", "call") in _ANSWERED


def _subject(record: Mapping[str, Any]) -> tuple[str, str] | None:
    for field, kind in (("agent", "agents"), ("user", "users")):
        if record.get(field):
            return kind, str(record[field])
    return None


def _order(item: tuple[tuple[str, str, str | None], Any]) -> tuple[str, str, str]:
    kind, name, task = item[0]
    return kind, name, task or ""


def _by_count(names: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(names.items(), key=lambda item: (-item[1], item[0]))
