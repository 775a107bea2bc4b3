"""The `mcp` middleware of Traefik Hub as people write it. Knows the keys, not what an expression says."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Struct
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictStr, ValidationError
from pydantic.alias_generators import to_camel

from toolgate.config.document import Path as KeyPath
from toolgate.config.document import parse
from toolgate.config.load import read_bytes
from toolgate.config.problems import explain
from toolgate.errors import ConfigError, Problem

Expression = Annotated[StrictStr, Field(min_length=1)]
Https = Annotated[StrictStr, Field(pattern=r"^https://[^\s]+$")]


class Written(BaseModel):
    """Keys in camel case; an unknown key is an error, since it may restrict something."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel)


class PolicyText(Written):
    """A rule about requests."""

    match: Expression
    action: Literal["allow", "deny"]
    reason: StrictStr = ""


class ListPolicyText(Written):
    """A rule about the items of a list."""

    match: Expression
    action: Literal["show", "hide"]


class ResourceMetadata(Written):
    """RFC 9728: what clients are told of the resource."""

    resource: Https | None = None
    authorization_servers: tuple[Https, ...] = ()
    scopes_supported: tuple[StrictStr, ...] = ()
    resource_documentation: StrictStr | None = None


class Mcp(Written):
    """`spec.plugin.mcp`."""

    resource_metadata: ResourceMetadata | None = None
    policies: tuple[PolicyText, ...] = ()
    default_action: Literal["allow", "deny"] = "deny"
    list_policies: tuple[ListPolicyText, ...] = ()
    list_default_action: Literal["show", "hide"] | None = None
    graceful_errors: StrictBool = False


class _Block(Written):
    mcp: Mcp


class _Plugin(Written):
    plugin: _Block


class _Spec(Written):
    spec: _Plugin


class _Middleware(_Spec):
    api_version: Literal["traefik.io/v1alpha1"]
    kind: Literal["Middleware"]
    metadata: dict[str, Any] = {}


class Source(Struct, frozen=True):
    """A middleware, and where each part of it was written."""

    mcp: Mcp
    problem: Callable[[KeyPath, str, str], Problem]
    """A problem with the key at a path below `mcp`: what is wrong, and the remedy."""


_FORMS: tuple[tuple[str, type[Written], KeyPath], ...] = (
    ("apiVersion", _Middleware, ("spec", "plugin", "mcp")),
    ("spec", _Spec, ("spec", "plugin", "mcp")),
    ("plugin", _Plugin, ("plugin", "mcp")),
    ("mcp", _Block, ("mcp",)),
)


def read_middleware(file: Path) -> Source:
    """A `Middleware` document, or as little of it as the `mcp` block. Raises `ConfigError` with every problem."""
    document = parse(read_bytes(file), str(file))
    data = {} if document.data is None else document.data
    model, path = next(
        ((model, path) for key, model, path in _FORMS if isinstance(data, dict) and key in data), (Mcp, ())
    )
    problems: list[Problem] = []
    value: Any = None
    try:
        value = model.model_validate(data)
    except ValidationError as error:
        problems = [problem for _, problem in explain(error, document, model, {})]
    if problems:
        raise ConfigError(problems)
    for step in path:
        value = getattr(value, str(step))
    return Source(value, lambda below, text, remedy: document.problem((*path, *below), text, remedy))
