"""What the AuthZEN Authorization API 1.0 asks, as the nouns of a decision. Decides nothing.

A subject is a user by its id (an agent, with `type: agent`); `context.agent` and `subject.properties` say more of it,
with the keys that policy tests use in `as:`. The action is an MCP method, its `properties.arguments` are the call's.
The resource is `tool`, `resource` or `prompt` with the id `server/name`, or `mcp_server` for what aims at no one thing.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from msgspec import Struct
from pydantic import BaseModel, ConfigDict, Field, StrictStr, ValidationError

from toolgate.model import Call, Kind, Target
from toolgate.policy.document import Caller
from toolgate.protocol.methods import METHODS

MAX_EVALUATIONS = 1000
"""Questions in one request."""
SERVER = "mcp_server"
REVISION = "2026-07-28"
"""Conditions see it as the protocol's: the caller spoke with another gateway."""

Model = TypeVar("Model", bound=BaseModel)
Word = Annotated[StrictStr, Field(min_length=1)]
_SERVER = re.compile(r"[A-Za-z0-9._-]+")
_SAID = frozenset(Caller.model_fields) - {"claims"}


class Unreadable(Exception):
    """A question that breaks the API's form, with a sentence for whoever asked."""


class _Read(BaseModel):
    """Other members are passed over, as the API wants it."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Subject(_Read):
    """On whose behalf."""

    type: Word
    id: Word
    properties: dict[str, Any] = {}


class Action(_Read):
    """An MCP method."""

    name: Word
    properties: dict[str, Any] = {}


class Resource(_Read):
    """What at."""

    type: Word
    id: Word
    properties: dict[str, Any] = {}


class Evaluation(_Read):
    """One question."""

    subject: Subject
    action: Action
    resource: Resource
    context: dict[str, Any] = {}


class Options(_Read):
    """How many of the answers are wanted."""

    evaluations_semantic: Literal["execute_all", "deny_on_first_deny", "permit_on_first_permit"] = (
        "execute_all"
    )


class Evaluations(_Read):
    """Many questions: what they leave out stands beside them."""

    evaluations: Annotated[tuple[dict[str, Any], ...], Field(max_length=MAX_EVALUATIONS)] = ()
    options: Options = Options()


class Question(Struct, frozen=True):
    """A question understood."""

    caller: Caller
    method: str
    target: Target | None
    """None where the method aims at no tool, resource or prompt, or at nothing that Toolgate knows."""
    known: bool
    """Whether there is such a method for such a resource."""
    arguments: Mapping[str, Any]

    def call(self) -> Call:
        """The call that is asked about. Where it comes from is not known: who asks is another gateway."""
        target = self.target or Target(Kind.SERVER, "", "")
        key = "uri" if target.kind is Kind.RESOURCE else "name"
        params = {key: target.name, "arguments": self.arguments}
        return Call(
            revision=REVISION,
            door=target.server,
            method=self.method,
            body=b"",
            params=params,
            name=target.name,
        )


def read(model: type[Model], data: Any) -> Model:
    """Raises `Unreadable`."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(step) for step in fault["loc"])
        raise Unreadable(f"{place or 'the body'}: {fault['msg']}.") from None


def question(data: Any) -> Question:
    """Raises `Unreadable`."""
    asked = read(Evaluation, data)
    arguments = asked.action.properties.get("arguments", {})
    if not isinstance(arguments, dict):
        raise Unreadable("action.properties.arguments: an object is expected.")
    kind = _kind(asked.action.name, asked.resource.type)
    target = None if kind in (None, Kind.SERVER) else _target(kind, asked.resource.id)
    return Question(_caller(asked), asked.action.name, target, kind is not None, arguments)


def _kind(method: str, type_: str) -> Kind | None:
    """What a method aims at, None where it does not go with the type of resource or does not exist."""
    if method.startswith("notifications/"):
        return Kind.SERVER
    known = METHODS.get(method)
    if known is None:
        return None
    if method == "completion/complete":
        kinds = [kind for kind in (Kind.PROMPT, Kind.RESOURCE) if kind == type_]
        return kinds[0] if kinds else None
    if not known.name:
        return Kind.SERVER if type_ == SERVER else None
    return known.kind if known.kind == type_ else None


def _target(kind: Kind | None, id_: str) -> Target:
    server, slash, name = id_.partition("/")
    if kind is None or not slash or not name or _SERVER.fullmatch(server) is None:
        raise Unreadable("resource.id: expected `server/name`, as policies write it.")
    return Target(kind, server, name)


def _caller(asked: Evaluation) -> Caller:
    properties, subject = asked.subject.properties, asked.subject
    said = {key: value for key, value in properties.items() if key in _SAID}
    claims = properties.get("claims", {})
    key = "agent" if subject.type == "agent" else "user"
    if said.setdefault(key, subject.id) != subject.id:
        raise Unreadable(f"subject.properties.{key}: another one than subject.id.")
    if said.setdefault("agent", asked.context.get("agent")) != asked.context.get("agent", said["agent"]):
        raise Unreadable("context.agent: another one than the subject's.")
    return read(Caller, {**said, "claims": claims})
