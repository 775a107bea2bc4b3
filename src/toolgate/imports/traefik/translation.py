"""A Traefik `mcp` middleware becomes a Toolgate policy file that decides the same, or every reason why it cannot.

Policies become rules of `combine: first-match`; `listPolicies` become `lists:`. What Traefik says of the request for
a list (which here is open, and its answer filtered) becomes a rule that hides all of it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from msgspec import Struct

from toolgate.config.document import Path
from toolgate.errors import ConfigError, Problem
from toolgate.imports.traefik.conditions import condition_of
from toolgate.imports.traefik.document import Mcp, Source
from toolgate.imports.traefik.expression import (
    Both,
    Either,
    ExpressionError,
    Key,
    Not,
    Test,
    Tree,
    read_expression,
)
from toolgate.imports.traefik.formula import Formula, Text, both, either, negated
from toolgate.imports.traefik.values import Scene
from toolgate.model import Kind

KINDS = {Kind.TOOL: "tools", Kind.RESOURCE: "resources", Kind.PROMPT: "prompts"}
LIFE_CYCLE = "Life-cycle methods (initialize, ping and the like) are open to every caller who is let in."
ITEMS = (
    "In lists, a resource is known by its URI, also as mcp.params.name; templates are judged like resources."
)
COMPLETIONS = "A completion is judged by the prompt or resource it is for."

Said = Mapping[Kind, Formula]
"""When a policy matches, by what is aimed at."""


class Imported(Struct, frozen=True):
    """A policy file, and what its reader should know."""

    policy: dict[str, Any]
    notes: tuple[str, ...]
    gateway: dict[str, Any]
    """What of the middleware belongs into gateway.yaml."""

    def text(self, title: str) -> str:
        """The file, its notes as comments in front."""
        comments = [title, "", *(f"- {note}" for note in self.notes)]
        if self.gateway:
            comments += ["", "Belongs into gateway.yaml:", *_yaml(self.gateway).splitlines()]
        return "".join(f"# {line}".rstrip() + "\n" for line in comments) + _yaml(self.policy)


def translate(source: Source, server: str) -> Imported:
    """The policy of a middleware in front of `server` (`*`: of every server). Raises `ConfigError`."""
    mcp = source.mcp
    reading = _Reading(source)
    policies = [reading.tree(("policies", at), one.match) for at, one in enumerate(mcp.policies)]
    shown = [reading.tree(("listPolicies", at), one.match) for at, one in enumerate(mcp.list_policies)]
    calls = [reading.said(("policies", at), tree, call=True) for at, tree in enumerate(policies)]
    requests = [reading.said(("policies", at), tree) for at, tree in enumerate(policies)]
    items = [reading.said(("listPolicies", at), tree, item=True) for at, tree in enumerate(shown)]
    reading.check_actions(calls, requests)
    if reading.problems:
        raise ConfigError(reading.problems)
    name = "traefik" if server == "*" else server
    writing = _Writing(name, server)
    for at, (policy, when) in enumerate(zip(mcp.policies, calls, strict=True)):
        reason = {"reason": policy.reason} if policy.reason else {}
        writing.rules(f"policy-{at + 1}", policy.action, when, reason)
    rules = writing.finish("default", mcp.default_action)
    refused = {kind: _refused(mcp, requests, kind) for kind in KINDS}
    writing.rules("list-refused", "hide", refused, {})
    for at, (one, when) in enumerate(zip(mcp.list_policies, items, strict=True)):
        writing.rules(f"list-policy-{at + 1}", one.action, when, {})
    fallback = mcp.list_default_action or ("hide" if mcp.list_policies else "show")
    lists = writing.finish("list-default", fallback)
    file = {"version": 1, "default": "deny", "combine": "first-match", "rules": rules, "lists": lists}
    return Imported(file, (*reading.notes, *_notes(mcp, refused)), _gateway(mcp))


def _refused(mcp: Mcp, requests: list[Said], kind: Kind) -> Formula:
    """When Traefik refuses the request for a list: the first policy that matches decides, backwards."""
    refused: Formula = mcp.default_action == "deny"
    for policy, when in reversed(list(zip(mcp.policies, requests, strict=True))):
        matches, denies = when[kind], policy.action == "deny"
        refused = either([matches, refused]) if denies else both([negated(matches), refused])
    return refused


class _Reading:
    """Reads expressions and keeps a list of what is wrong and of what was understood in another way."""

    def __init__(self, source: Source) -> None:
        self.problems: list[Problem] = []
        """Each once: a policy is read as it is of calls and again as it is of lists."""
        self.notes: list[str] = []
        self._source = source
        mcp = source.mcp
        if mcp.list_default_action == "hide" and not mcp.list_policies:
            remedy = "Take it out, or say what is shown under `listPolicies`."
            self._fault(("listDefaultAction",), "without `listPolicies` nothing is filtered.", remedy)

    def tree(self, path: Path, match: str) -> Tree | None:
        """The expression, or None with its problem noted."""
        try:
            tree = read_expression(match)
        except ExpressionError as error:
            self._note_error(path, error)
            return None
        for key in _keys(tree):
            if key.steps[0] == "user" or (key.steps[:2] == ("jwt", "claims") and len(key.steps) > 2):
                place = f"{path[0]}[{path[1]}]"
                self.notes.append(
                    f"{place}: `{key.text}`, a path of early builds, was read as the claim itself."
                )
        return tree

    def said(self, path: Path, tree: Tree | None, *, call: bool = False, item: bool = False) -> Said:
        """When it is true, by kind of target."""
        if tree is None:
            return dict.fromkeys(KINDS, False)
        try:
            return {kind: condition_of(tree, Scene(kind, call, item)) for kind in KINDS}
        except ExpressionError as error:
            self._note_error(path, error)
            return dict.fromkeys(KINDS, False)

    def check_actions(self, calls: list[Said], requests: list[Said]) -> None:
        """A refusal of what is always open here would be lost."""
        if self.problems:
            return
        for at, policy in enumerate(self._source.mcp.policies):
            if any(calls[at].values()) or any(requests[at].values()):
                continue
            if policy.action == "deny":
                text = "refuses no call, no list, or only what Toolgate leaves open to every caller (initialize, ping)."
                self._fault(("policies", at), text, "Take it out, and let `identity:` say who may come in.")
            else:
                self.notes.append(f"policies[{at}] allows only what is open anyway; it has no rule here.")

    def _note_error(self, path: Path, error: ExpressionError) -> None:
        self._fault((*path, "match"), f"{error.text} (character {error.at})", error.remedy)

    def _fault(self, path: Path, text: str, remedy: str) -> None:
        problem = self._source.problem(path, text, remedy)
        if str(problem) not in map(str, self.problems):
            self.problems.append(problem)


class _Writing:
    """Writes rules in order; leaves out those that can never match, and those that none can reach."""

    def __init__(self, name: str, server: str) -> None:
        self._name = name
        self._pattern = "*" if server == "*" else f"{server}/*"
        self._written: list[dict[str, Any]] = []
        self._open = set(KINDS)

    def rules(self, word: str, effect: str, when: Said, more: dict[str, Any]) -> None:
        """One policy: a rule for all kinds of target that it says the same of."""
        groups: dict[Formula, list[Kind]] = {}
        for kind in KINDS:
            if when[kind] is not False and kind in self._open:
                groups.setdefault(when[kind], []).append(kind)
        for formula, kinds in groups.items():
            suffix = f"-{KINDS[kinds[0]]}" if len(groups) > 1 else ""
            self._write(f"{self._name}-{word}{suffix}", effect, formula, kinds, more)
            if formula is True:
                self._open -= set(kinds)

    def finish(self, word: str, effect: str) -> list[dict[str, Any]]:
        """What holds where no rule matched. Returns the rules, and begins anew."""
        left = [kind for kind in KINDS if kind in self._open]
        if left:
            self._write(f"{self._name}-{word}", effect, True, left, {})
        written, self._written, self._open = self._written, [], set(KINDS)
        return written

    def _write(self, id: str, effect: str, formula: Formula, kinds: list[Kind], more: dict[str, Any]) -> None:
        when = {"when": formula.cel} if isinstance(formula, Text) else {}
        aims = {KINDS[kind]: [self._pattern] for kind in kinds}
        self._written.append({"id": id, "effect": effect, **aims, **when, **more})


def _notes(mcp: Mcp, refused: Said) -> Iterator[str]:
    yield LIFE_CYCLE
    yield COMPLETIONS
    if mcp.list_policies:
        yield ITEMS
    if mcp.list_policies and mcp.list_default_action is None:
        yield "listDefaultAction is not written, and its default is not documented: `hide` was taken."
    empty = [KINDS[kind] for kind in KINDS if refused[kind] is True]
    if empty:
        yield f"No policy lets anybody list {', '.join(empty)}: their lists are empty."
    if not mcp.list_policies:
        yield "Lists show also what the caller may not call, as before; take `lists:` out to hide it."
    if mcp.resource_metadata and mcp.resource_metadata.scopes_supported:
        yield "scopesSupported is not carried over: Toolgate advertises no scopes of its own."
    if mcp.resource_metadata and mcp.resource_metadata.resource_documentation:
        yield "resourceDocumentation is not carried over: Toolgate advertises none."
    if not mcp.graceful_errors:
        yield "A refusal is an answer that agents can read, as with `gracefulErrors: true`."


def _gateway(mcp: Mcp) -> dict[str, Any]:
    metadata = mcp.resource_metadata
    if metadata is None:
        return {}
    found: dict[str, Any] = {}
    if metadata.resource is not None:
        scheme, _, rest = metadata.resource.partition("://")
        found["public_url"] = f"{scheme}://{rest.partition('/')[0]}"
    audience = {} if metadata.resource is None else {"audience": metadata.resource}
    if metadata.authorization_servers:
        issuers = [{"issuer": issuer, **audience} for issuer in metadata.authorization_servers]
        found["identity"] = {"issuers": issuers}
    return found


def _keys(tree: Tree) -> Iterator[Key]:
    match tree:
        case Test():
            yield tree.key
            yield from (part for value in tree.values for part in value.parts if isinstance(part, Key))
        case Not():
            yield from _keys(tree.part)
        case Both() | Either():
            for part in tree.parts:
                yield from _keys(part)


class _Dumper(yaml.SafeDumper):
    """Lists stand below their keys, indented."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _yaml(data: Any) -> str:
    text: str = yaml.dump(data, Dumper=_Dumper, sort_keys=False, width=100, allow_unicode=True)
    return text
