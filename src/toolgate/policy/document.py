"""The shape of a policy file as people write it. Knows neither YAML nor what a rule means."""

import re
from collections.abc import Callable
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StrictStr, model_validator

from toolgate.policy.patterns import split_pattern

Path = tuple[str | int, ...]
Place = tuple[str, int, int]
"""File, line, column."""


def _exact(name: str) -> str:
    # A `*` here would match nobody, which makes a deny rule silently worthless: refuse instead.
    if "*" in name:
        raise ValueError("is compared exactly and takes no *; leave the list out to mean anybody")
    return name


CALENDAR = ("day", "month")


def _pattern(text: str) -> str:
    split_pattern(text)
    return text


Text = Annotated[StrictStr, Field(min_length=1)]
Name = Annotated[Text, AfterValidator(_exact)]
# An empty list would be a third meaning beside "left out" and "named": refused.
Names = Annotated[tuple[Name, ...], Field(min_length=1)]
Patterns = Annotated[tuple[Text, ...], Field(min_length=1)]


class Written(BaseModel):
    """Habits of everything people write: unknown keys are errors, nothing changes after loading."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


Language = Annotated[StrictStr, Field(pattern=r"^(default|[a-z]{2,3}(-[A-Za-z0-9]{2,8})*)$")]


def _with_default(texts: dict[str, str]) -> dict[str, str]:
    if "default" not in texts:
        raise ValueError("has a text for `default`, for clients whose language is not among the others")
    return texts


Reason = Text | Annotated[dict[Language, Text], AfterValidator(_with_default)]
"""What callers read: one text, or texts by language with a `default`."""


class Subjects(Written):
    """Whom a rule is about. Every kind named must match; within a kind one of the values is enough."""

    agents: Names = ()
    users: Names = ()
    roles: Names = ()
    tenants: Names = ()
    scopes: Names = ()
    tags: Names = ()

    @model_validator(mode="after")
    def _names_somebody(self) -> "Subjects":
        if not self.model_fields_set:
            raise ValueError("names nobody; leave `subjects` out to mean anybody")
        return self


class Aim(Written):
    """What every rule says: whom it is about, what they aim at, and when."""

    id: Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$")]
    subjects: Subjects | None = None
    """Left out: anybody."""
    tasks: Names = ()
    """Task ids; left out: any task, also none."""
    asserted_tasks: Names = ()
    """The same, where the caller's own word for its task (`_meta`) is enough."""
    tools: Patterns = ()
    """`server/tool`, where `*` stands for anything; `*` alone is every tool of every server."""
    resources: Patterns = ()
    """`server/uri`, where `*` spans slashes too."""
    prompts: Patterns = ()
    """`server/prompt`, as with tools."""
    when: Text | None = None
    """A CEL condition; left out: always."""

    @model_validator(mode="after")
    def _aims_at_something(self) -> "Aim":
        if not (self.tools or self.resources or self.prompts):
            raise ValueError('aims at nothing; name `tools`, `resources` or `prompts` (["*"] means all)')
        if self.tasks and self.asserted_tasks:
            raise ValueError(
                "names both `tasks` and `asserted_tasks`; the latter holds for both kinds of proof"
            )
        return self


class RuleText(Aim):
    """One rule about calls, and what follows."""

    effect: Literal["allow", "deny", "approve"]
    reason: Reason | None = None
    """What the caller reads when this rule refuses, or asks for approval; one text, or `default` and others by
    language (`de`, `pt-BR`)."""


class ListRuleText(Aim):
    """One rule about lists, and what follows. It says nothing of calls."""

    effect: Literal["show", "hide"]


def _number_of_seconds(text: str) -> str:
    if text not in CALENDAR and not re.fullmatch(r"[1-9]\d{0,8}(s|m|h)", text):
        raise ValueError("is a duration such as 30m or 24h, or `day` or `month`")
    return text


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("is a time zone such as Europe/Berlin") from None
    return name


class TotalText(Written):
    """A sum or count over a window, for conditions to read as `total.<id>`."""

    id: Annotated[StrictStr, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
    """How conditions name it: small letters, digits and `_`."""
    tools: Patterns
    """The calls that add to it."""
    sum: Text | None = None
    """A CEL expression that gives what a call adds, such as `args.amount`; left out: one for each call."""
    per: Literal["agent", "user", "task", "tenant", "everybody"]
    """Whom one sum is kept for."""
    window: Annotated[Text, AfterValidator(_number_of_seconds)]
    """The last `30m` or `24h`, or the running `day` or `month`."""
    zone: Annotated[Text, AfterValidator(_known_zone)] = "UTC"
    """Where days and months begin."""


class TaskText(Written):
    """A task, spelled out."""

    id: Text
    name: StrictStr = ""
    attributes: dict[str, Any] = {}
    tools: Annotated[tuple[Annotated[Text, AfterValidator(_pattern)], ...], Field(min_length=1)] | None = None
    """The tools it is limited to; left out: any."""


class Caller(Written):
    """What conditions know of a caller."""

    agent: Text | None = None
    user: Text | None = None
    tenant: Text | None = None
    roles: tuple[Text, ...] = ()
    scopes: tuple[Text, ...] = ()
    tags: tuple[Text, ...] = ()
    task: Text | TaskText | None = None
    """A task's id, or an object."""
    asserted_task: Text | None = None
    """The task it says it acts under, by its own word."""
    claims: dict[str, Any] = {}


class CallText(Written):
    """The call of a case: one tool, resource or prompt, or a method that aims at none of them."""

    tool: Text | None = None
    resource: Text | None = None
    prompt: Text | None = None
    method: Text | None = None
    """Beside a target: the method, where it is not the usual one."""
    args: dict[str, Any] = {}

    @model_validator(mode="after")
    def _aims_at_one_thing(self) -> "CallText":
        named = [name for name in (self.tool, self.resource, self.prompt) if name is not None]
        if len(named) > 1 or not (named or self.method):
            raise ValueError("names one of `tool`, `resource` and `prompt`, or a `method`")
        if any("/" not in name for name in named):
            raise ValueError("is written server/name")
        return self


class Case(Written):
    """One test case: who calls what, and what should follow."""

    name: Text
    caller: Caller = Field(default=Caller(), alias="as")
    call: CallText
    at: AwareDatetime | None = None
    """When the call happens. Left out: unknown, so that no case depends on the day it runs."""
    expect: Literal["allow", "deny", "approve", "visible", "hidden"]


class Document(Written):
    """One policy file."""

    version: Literal[1]
    default: Literal["allow", "deny"] | None = None
    """What happens where no rule matches. Left out in every file: deny."""
    combine: Literal["deny-overrides", "first-match"] | None = None
    """Left out in every file: deny-overrides."""
    reason: Reason | None = None
    """What callers read where a rule that refuses gives no reason, and where no rule allows. In one file only."""
    rules: tuple[RuleText, ...] = ()
    lists: tuple[ListRuleText, ...] = ()
    """What lists show, where that is not what calls may do: the first that matches decides, and where none does,
    whatever is not denied for certain is shown."""
    totals: tuple[TotalText, ...] = ()
    tests: tuple[Case, ...] = ()


class Source(Struct, frozen=True):
    """A document, and where each part of it was written."""

    document: Document
    locate: Callable[[Path], Place]
    """The place of a key path such as ("rules", 3, "when")."""
