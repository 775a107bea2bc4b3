"""Every key a user may write, with its default. Knows nothing of files, and not what the keys do."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PlainValidator, ValidationInfo, field_validator

from toolgate.config.address import HostName, HostPort, ListenAddress, Origin, PublicUrl
from toolgate.config.schema_authzen import Authzen
from toolgate.config.schema_identity import Identity
from toolgate.config.schema_secrets import Secrets
from toolgate.config.schema_servers import Server
from toolgate.config.schema_sinks import Sink
from toolgate.config.schema_tasks import Tasks
from toolgate.config.section import Section, raise_faults, written, wrong
from toolgate.config.units import Bytes, Seconds, between
from toolgate.config.values import AnyPath, Count, ExistingFile, Flag, Names, SealKey, ServerName, Text

Scalar = str | int | float | bool


def _scalar(value: object) -> Scalar:
    if not isinstance(value, str | int | float | bool):
        raise wrong("expected text, a number, true or false.")
    return value


ScalarValue = Annotated[Any, PlainValidator(_scalar, json_schema_input_type=Scalar)]


def _separator(value: str) -> str:
    # Servers' names have neither '_' nor '.', so where the server's part ends is never in doubt.
    if not re.fullmatch(r"[_.][_.-]{0,3}", value):
        raise wrong("expected one to four of '_', '.' and '-', of which '-' is not the first.")
    return value


def _some_server(servers: Mapping[str, Server]) -> Mapping[str, Server]:
    if not servers:
        remedy = 'Add one, for example: servers: {bank: {url: "http://localhost:9000/mcp"}}.'
        raise wrong("there is no server to stand in front of.", remedy)
    return servers


class Tls(Section):
    """The certificate that `listen` shows."""

    cert: ExistingFile
    """PEM file of the certificate and its chain."""
    key: ExistingFile
    """PEM file of its private key."""
    client_ca: ExistingFile | None = None
    """PEM file of the authorities whose client certificates are accepted; left out, none is asked for."""
    client_certificate: Literal["optional", "required"] = "optional"
    """Whether a client without a certificate may connect."""


class Limits(Section):
    """What a client may send. Whatever is larger is refused before it is understood."""

    body: Annotated[Bytes, between("1KiB", "1GiB")] = written("4MiB")
    """Bytes of one message."""
    headers: Annotated[Bytes, between("1KiB", "1MiB")] = written("32KiB")
    """Bytes of all headers of a request."""
    header_count: Annotated[Count, Field(ge=10, le=1000)] = 100
    """Headers of a request."""
    header_seconds: Annotated[Seconds, between("1ms", "5m")] = written("10s")
    """How long a client may take to send its headers."""
    json_depth: Annotated[Count, Field(ge=8, le=512)] = 128
    """Levels of objects and lists inside one message."""
    listens: Annotated[Count, Field(ge=1, le=100_000)] = 1000
    """`subscriptions/listen` streams that one caller may have open."""


class Sessions(Section):
    """Sessions of clients that speak revisions up to 2025-11-25."""

    lifetime: Annotated[Seconds, between("1s", "8760h")] = written("24h")
    """How long a session lives at most."""
    keys: tuple[SealKey, ...] = ()
    """Secrets of 32 bytes, as base64 or hex: the first seals session ids, all open them. Left out: a fresh
    key at every start, so that sessions end with the process."""


class Ledger(Section):
    """The record of every call."""

    path: AnyPath = written("./ledger")
    """The folder the record is written to; made if it is not there."""
    durability: Literal["os", "disk"] = "os"
    """What is certain before a call is answered. `os`: the record outlives the gateway, also killed; `disk`:
    it outlives the machine."""
    values: Literal["none", "digest", "redacted", "sealed", "full"] = "digest"
    """What of a call's arguments is kept. `none`; `digest`: a keyed digest; `redacted`: names and kinds, beside the
    digest; `sealed`: arguments and person encrypted under a key of that person, which `toolgate ledger erase`
    destroys; `full`: the arguments as they are."""
    reveal: Names = ()
    """Names of arguments whose values `redacted` keeps."""
    subject_keys: AnyPath | None = None
    """The folder of the keys that seal. Left out: `subjects` in the ledger's folder."""
    segment_size: Annotated[Bytes, between("64KiB", "64GiB")] = written("64MiB")
    """Size at which a file of the record is closed and the next one begun."""
    checkpoint_every: Annotated[Seconds, between("100ms", "24h")] = written("10s")
    """How often what was recorded is signed, so that later nothing of it can be changed or cut off unseen."""
    signing_key: AnyPath | None = None
    """The file of the key that signs; made if it is not there. Left out: `signing.key` in the ledger's folder.
    Kept elsewhere, who can write the ledger cannot sign another."""
    on_failure: Literal["deny", "spool", "allow"] = "spool"
    """What happens to calls while they cannot be recorded. `deny`: they are not answered; `spool`: their records are
    kept aside up to `spool_size`, safe from the end of the gateway but not of the machine, then `deny`; `allow`:
    they are answered without a record."""
    on_damage: Literal["refuse", "set_aside"] = "refuse"
    """What happens at start when the ledger was damaged, cut or replaced. `refuse`: the gateway does not start;
    `set_aside`: the folder is renamed as it is, and a new ledger begins with a record of that."""
    spool_size: Annotated[Bytes, between("64KiB", "64GiB")] = written("16MiB")
    """Room set aside at start for `on_failure: spool`, so that it is there also when the disk is full."""

    @field_validator("on_damage")
    @classmethod
    def _one_history_a_key(cls, on_damage: str, info: ValidationInfo) -> str:
        if on_damage == "set_aside" and info.data.get("signing_key") is not None:
            text = "a new ledger needs a new key, and 'signing_key' names one for good."
            raise wrong(text, "Leave 'signing_key' out, or set 'on_damage: refuse'.")
        return on_damage


class Log(Section):
    """What the gateway says about itself, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least important messages to show."""
    format: Literal["text", "json"] = "text"
    """For people, or one JSON object per line."""


class GatewayConfig(Section):
    """One file runs everything. Every key has a default that is safe, except those only you can know."""

    listen: ListenAddress = written("127.0.0.1:8080")
    """Where clients connect."""
    admin: ListenAddress | None = written("127.0.0.1:9080")
    """Where metrics, the admin API and the console are; `null` switches all of them off."""
    public_url: PublicUrl | None = None
    """How clients see the gateway; the OAuth resource identifier starts with it."""
    allowed_hosts: tuple[HostName, ...] = ()
    """Host names accepted besides those of `listen` and `public_url`."""
    allowed_origins: tuple[Origin, ...] = ()
    """Web pages that may call from a browser, as origins."""
    separator: Annotated[str, AfterValidator(_separator)] = "__"
    """Stands between server and tool where all servers appear as one: `bank__read_accounts`."""
    legacy_sse: Flag = False
    """Whether clients of 2024-11-05 are served, at `/sse` and `/servers/{name}/sse`."""
    tls: Tls | None = None
    """Certificate of `listen`; left out, it speaks plain HTTP."""
    limits: Limits = written({})
    """What a client may send."""
    sessions: Sessions = written({})
    """Sessions of older clients."""
    secrets: Secrets = written({})
    """Places that references to secrets may read from, besides the environment and files."""
    servers: Annotated[Mapping[ServerName, Server], AfterValidator(_some_server)] = written({})
    """The MCP servers behind the gateway, by name."""
    identity: Identity = written({})
    """Who may call."""
    policies: tuple[Text, ...] = ()
    """Policy files; the file's name may hold wildcards. Without any, every call is refused."""
    tasks: Tasks = written({})
    """Pieces of work that rights are bound to."""
    authzen: Authzen | None = None
    """Decisions for other gateways; left out, nobody may ask for them."""
    environment: Mapping[str, ScalarValue] = written({}, repr=False)
    """What conditions see as `environment`."""
    ledger: Ledger = written({})
    """The record of every call."""
    sinks: Mapping[ServerName, Sink] = written({})
    """Where what was recorded is delivered to, by name: each reads the ledger at its own pace."""
    metrics: Flag = True
    """Whether `/metrics` is served on `admin`."""
    log: Log = written({})
    """What the gateway says about itself."""

    # Not `mode="after"` on the whole: a fault elsewhere in the file must not hide these.
    @field_validator("admin")
    @classmethod
    def _apart_from_listen(cls, admin: HostPort | None, info: ValidationInfo) -> HostPort | None:
        if admin is not None and admin.port and admin == info.data.get("listen"):
            raise wrong(
                "the same address as 'listen'.", "Give it a port of its own, or switch it off with null."
            )
        return admin

    @field_validator("identity")
    @classmethod
    def _anonymous_on_this_machine(cls, identity: Identity, info: ValidationInfo) -> Identity:
        listen: HostPort | None = info.data.get("listen")
        if identity.anonymous == "loopback" and listen is not None and not listen.loopback:
            text = "'loopback' needs a 'listen' that only this machine reaches."
            remedy = "Listen on 127.0.0.1, or identify callers with 'issuers:' or 'api_keys:'."
            raise_faults("Identity", [(("anonymous",), wrong(text, remedy))])
        return identity


def json_schema() -> dict[str, Any]:
    """JSON Schema of the config file, for editors."""
    schema = GatewayConfig.model_json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "Toolgate configuration",
    }
