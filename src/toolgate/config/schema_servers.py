"""The keys of `servers:`. Knows how a server is reached, not what it offers."""

import difflib
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, ValidationInfo, field_validator

from toolgate.config.address import HttpUrl
from toolgate.config.schema_auth import Auth, HeaderAuth, NoAuth
from toolgate.config.section import Section, written, wrong
from toolgate.config.units import Bytes, Seconds, between
from toolgate.config.values import (
    Argument,
    Command,
    Count,
    ExistingFile,
    ExistingFolder,
    Flag,
    HeaderName,
    HeaderValue,
    Names,
    Text,
    VariableName,
    VariableValue,
)

_HTTP_TYPES = ("http", "streamable-http", "sse")
# Tags are seen in the paths of errors; no key is written like these, so they can be told apart there.
_HTTP, _STDIO = "<http>", "<stdio>"


class ToolSaid(Section):
    """What whoever runs the gateway says of a tool. Counts where the server says otherwise."""

    title: Text | None = None
    """What `tool.title` is."""
    annotations: Mapping[Text, Any] = written({})
    """Laid over the server's, key by key: `{destructiveHint: true}`."""
    tags: tuple[Text, ...] | None = None
    """What `tool.tags` is, in place of the server's."""


def _scopes(scopes: tuple[str, ...]) -> tuple[str, ...]:
    # RFC 6749, 3.3: what a challenge can quote.
    if not all(re.fullmatch(r"[\x21\x23-\x5b\x5d-\x7e]+", scope) for scope in scopes):
        raise wrong("a scope is visible ASCII without spaces, quotes and backslashes.")
    return scopes


Scopes = Annotated[Names, AfterValidator(_scopes)]


class _Common(Section):
    description: Text | None = None
    """What the server is for, in the words of whoever runs the gateway."""
    timeout: Annotated[Seconds, between("1ms", "24h")] = written("60s")
    """How long a call may stay without a word from the server."""
    list_ttl: Annotated[Seconds, between("0s", "24h")] = written("0s")
    """How long the server's lists are remembered where it does not say so itself."""
    total_timeout: Annotated[Seconds, between("1ms", "24h")] = written("15m")
    """How long a call may take altogether, whatever progress it reports."""
    disabled: Flag = False
    """True: the server is checked with the rest of the file, and otherwise as if it were not there."""
    sql: Literal["postgres", "mysql", "sqlite", "tsql", "bigquery"] | None = None
    """The dialect of SQL in this server's arguments, for conditions that call `sql(…)` without naming one."""
    tools: Mapping[Text, ToolSaid] = written({})
    """What conditions see of tools, by name (`*` stands for anything), besides what the server says of them."""
    scopes: Mapping[Text, Scopes] = written({})
    """Scopes that a caller's token must have, by pattern of a tool's name: `{"*": bank, "transfer_*":
    bank:write}`. A call without them is answered with a challenge that names them."""
    revision: Literal["auto", "2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"] = "auto"
    """The MCP revision the server is spoken to in; `auto` finds it out at the first call."""


class ServerTls(Section):
    """How a server behind https is trusted, and which certificate it is shown (mTLS)."""

    ca: ExistingFile | None = None
    """PEM file of the authorities it is verified against; left out, the system's."""
    cert: ExistingFile | None = None
    """PEM file of the gateway's certificate for it, and its chain."""
    key: ExistingFile | None = Field(None, validate_default=True)
    """PEM file of that certificate's private key."""

    @field_validator("key")
    @classmethod
    def _both(cls, key: Path | None, info: ValidationInfo) -> Path | None:
        if "cert" in info.data and (key is None) is not (info.data["cert"] is None):
            raise wrong("'cert' and 'key' go together.")
        return key

    def files(self) -> tuple[Path, ...]:
        """What is read of it."""
        return tuple(file for file in (self.ca, self.cert, self.key) if file is not None)


class HttpServer(_Common):
    """A server reached over HTTP."""

    url: HttpUrl = Field(repr=False)
    """The MCP endpoint; of an `sse` server, its stream."""
    type: Literal["http", "streamable-http", "sse"] = "http"
    """The transport: `sse` is HTTP+SSE of 2024-11-05, the others mean streamable HTTP, which falls back to it."""
    headers: Mapping[HeaderName, HeaderValue] = written({})
    """Headers sent with every request to this server, such as its API key."""
    auth: Auth = written("none")
    """What the gateway shows the server. The caller's own credential stays here unless `forward` says so."""
    tls: ServerTls | None = None
    """How it is trusted, and what certificate it is shown."""
    max_connections: Count = 100
    """Connections to this server at the same time; further calls wait."""

    @field_validator("type")
    @classmethod
    def _carries_the_revision(cls, type: str, info: ValidationInfo) -> str:
        if type == "sse" and info.data.get("revision") == "2026-07-28":
            raise wrong("HTTP+SSE carries only revisions with sessions.", "Leave out 'revision' or 'type'.")
        return type

    @field_validator("headers")
    @classmethod
    def _once_each(cls, headers: Mapping[str, object]) -> Mapping[str, object]:
        twice = [name for name, count in Counter(name.lower() for name in headers).items() if count > 1]
        if twice:
            raise wrong(f"the header {twice[0]} stands twice; case makes no difference.")
        return headers

    @field_validator("tls")
    @classmethod
    def _over_tls(cls, tls: ServerTls | None, info: ValidationInfo) -> ServerTls | None:
        if tls is not None and not info.data.get("url", "https:").lower().startswith("https:"):
            raise wrong("the server is not reached over https.", "Change 'url', or leave 'tls' out.")
        return tls

    @field_validator("auth")
    @classmethod
    def _one_credential(cls, auth: Auth, info: ValidationInfo) -> Auth:
        own = auth.name.lower() if isinstance(auth, HeaderAuth) else "authorization"
        names = {name.lower() for name in info.data.get("headers", {})}
        if not isinstance(auth, NoAuth) and own in names:
            raise wrong(f"'headers' sets {own}, too.", "Keep one of the two.")
        return auth


class ChildLimits(Section):
    """What one process may use, and each that it starts. Linux only."""

    memory: Annotated[Bytes, between("16MiB", "1024GiB")] | None = None
    """Bytes of address space. Some programs, such as Node, reserve far more than they use."""
    cpu: Annotated[Seconds, between("1s", "8760h")] | None = None
    """Time on a processor, after which it is killed; the next call starts another."""
    files: Annotated[Count, Field(ge=16, le=1_000_000)] = 1024
    """Files and connections open at the same time."""


class StdioServer(_Common):
    """A server that runs as a child process and speaks over its standard input and output."""

    command: Command = Field(repr=False)
    """The program: a name found in PATH, or a path seen from the config's folder."""
    type: Literal["stdio"] = "stdio"
    """The transport."""
    args: tuple[Argument, ...] = Field((), repr=False)
    """Arguments of the program. Other users of the machine can read them: secrets belong into `env`."""
    env: Mapping[VariableName, VariableValue] = written({})
    """Variables of its environment."""
    cwd: ExistingFolder = written(".")
    """The folder it starts in; left out, the config's folder."""
    max_children: Count = 16
    """Processes of this server at the same time. Beyond, an idle one makes room, or else the call is refused."""
    idle: Annotated[Seconds, between("1ms", "24h")] = written("5m")
    """How long a process without calls is kept."""
    start_timeout: Annotated[Seconds, between("1ms", "10m")] = written("10s")
    """How long a process may take until it has shaken hands."""
    limits: ChildLimits = written({})
    """What one process may use."""


def _form(value: object) -> str | None:
    """Which of the two forms is meant; None where it cannot be told, or both are."""
    if isinstance(value, HttpServer):
        return _HTTP
    if isinstance(value, StdioServer):
        return _STDIO
    if not isinstance(value, dict) or ("url" in value and "command" in value):
        return None
    if "url" in value or value.get("type") in _HTTP_TYPES:
        return _HTTP
    if "command" in value or value.get("type") == "stdio":
        return _STDIO
    if difflib.get_close_matches("url", value, n=1):
        return _HTTP
    return _STDIO if difflib.get_close_matches("command", value, n=1) else None


Server = Annotated[
    Annotated[HttpServer, Tag(_HTTP)] | Annotated[StdioServer, Tag(_STDIO)],
    Discriminator(
        _form,
        custom_error_type="wrong",
        custom_error_message="a server has either 'url' or 'command'.",
        custom_error_context={"remedy": 'For example: {url: "http://localhost:9000/mcp"}.'},
    ),
]


def tls_files(server: HttpServer | StdioServer) -> tuple[Path, ...]:
    """The certificate files that a server's connections are made with."""
    return server.tls.files() if isinstance(server, HttpServer) and server.tls is not None else ()
