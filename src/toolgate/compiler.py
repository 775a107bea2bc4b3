"""A validated config becomes a frozen snapshot: names resolved, rules compiled, upstreams held. No call comes here.

What a config names but cannot be had (a key file, a policy) is an error with its place in the file, raised
before anything of the running gateway is touched.
"""

import logging
import os
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace
from pydantic import BaseModel, SecretStr

from toolgate import authorization, registered
from toolgate.catalog.tools import Catalog
from toolgate.config.load import Loaded, policy_files, read
from toolgate.config.schema import GatewayConfig
from toolgate.config.schema_servers import HttpServer, StdioServer, tls_files
from toolgate.config.schema_tasks import DeclaredTask
from toolgate.config.schema_tasks import Openers as OpenersText
from toolgate.errors import ConfigError, Problem
from toolgate.identities import Identities
from toolgate.identity.chain import Chain
from toolgate.identity.dpop import Replays
from toolgate.identity.live import Live
from toolgate.identity.task_register import Openers, Register, Terms
from toolgate.identity.task_token import TaskTokens
from toolgate.identity.tasks import Tasks
from toolgate.model import Call, Principal, Task
from toolgate.policy.document import Document, Source
from toolgate.policy.patterns import Glob
from toolgate.policy.tool_facts import Said, overlaid
from toolgate.pool import Holder, Lease, Pool
from toolgate.ports import Clock, Decide, Http, Tally, Upstream
from toolgate.routing.table import Door
from toolgate.snapshot import Snapshot
from toolgate.upstreams.child import Limits
from toolgate.upstreams.crossing import Crossing
from toolgate.upstreams.held import HeldCalls
from toolgate.upstreams.http_client import HttpClient
from toolgate.wiring import POLICIES, TALLIES, UPSTREAMS, load

MAX_STREAMS = 10_000
"""Streams of one server that stay open beside its calls: one for each client session that listens."""


_log = logging.getLogger("toolgate.compiler")


class Kit(Struct, frozen=True, eq=False):
    """What compiled parts are handed, since nothing comes from globals."""

    clock: Clock
    http: Http
    """For what is not on the way of a call, such as key sets."""
    pool: Pool
    catalog: Catalog
    tally: Tally
    register: Register
    """Tasks that were opened; they outlive a reload."""
    task_tokens: TaskTokens
    held: HeldCalls = field(default_factory=HeldCalls)
    live: Live = field(default_factory=Live)
    replays: Replays = field(default_factory=partial(Replays, time.time))


def new_kit(http: Http, public_url: str, clock: Clock = time.time) -> Kit:
    """What a process starts with: nothing is held, listed, counted or opened yet."""
    return Kit(
        clock=clock,
        http=http,
        pool=Pool(),
        catalog=Catalog(),
        tally=load(TALLIES["memory"])(),
        register=Register(clock),
        task_tokens=TaskTokens(public_url, clock),
    )


class Built(Struct, frozen=True, eq=False):
    """A snapshot, and how to let go of what it holds."""

    snapshot: Snapshot
    release: Callable[[], Awaitable[None]]
    in_force: Callable[[], None]
    """To be called once the snapshot is in force."""


async def build(loaded: Loaded[GatewayConfig], kit: Kit) -> Built:
    """Compile. Raises `ConfigError` with every problem found; nothing is held then."""
    config = loaded.value
    sources = read_policies(loaded)
    policy = authorization.demanded(config.servers, compile_policy(sources, config, kit))
    policy = registered.ceilings(config.identity, policy)
    holder = Holder(kit.pool)
    try:
        ways = list(Identities(config, holder, kit.http, kit.clock, kit.replays).ways())
        upstreams: dict[str, Upstream] = {
            name: holder.hold(_key(name, server), partial(_upstream, name, server, kit))
            for name, server in config.servers.items()
            if not server.disabled
        }
    except BaseException:
        await holder.release()
        raise
    agents = registered.agents(config.identity, Chain(ways).identify, kit.live)
    snapshot = Snapshot(
        version=version_of(loaded, sources),
        identify=authorization.told(
            config.servers.values(), _with_tasks(agents.identify, config, sources, kit)
        ),
        policy=policy,
        doors=_doors(upstreams, config, kit.catalog),
        lease=Lease(),
    )

    def in_force() -> None:
        cut = kit.live.cut(agents.refused)
        if cut:
            _log.info("%d calls of agents that are not admitted any more are ended", cut)

    return Built(snapshot, holder.release, in_force)


def read_policies(loaded: Loaded[GatewayConfig]) -> list[Source]:
    """The policy files of a config. Raises `ConfigError`."""
    return [read_policy(file) for file in policy_files(loaded)]


def read_policy(file: Path) -> Source:
    """One policy file. Raises `ConfigError`."""
    document = read(file, Document)
    return Source(document.value, document.locate)


def compile_policy(sources: Sequence[Source], config: GatewayConfig, kit: Kit) -> Decide:
    """The policy of these documents. Raises `ConfigError`."""
    policy: Decide = load(POLICIES["cel"])(
        sources,
        environment=dict(config.environment),
        facts=overlaid(kit.catalog.facts, _said(config)),
        dialects=sql_dialects(config),
        tally=kit.tally,
        clock=kit.clock,
    )
    return policy


def _said(config: GatewayConfig) -> dict[str, list[Said]]:
    return {
        name: [
            Said(Glob(tool), one.title, dict(one.annotations), one.tags) for tool, one in server.tools.items()
        ]
        for name, server in config.servers.items()
        if server.tools
    }


def sql_dialects(config: GatewayConfig) -> dict[str, str]:
    """The dialect that each server's SQL arguments are written in, where its config says so."""
    return {name: server.sql for name, server in config.servers.items() if server.sql is not None}


def version_of(loaded: Loaded[GatewayConfig], sources: Sequence[Source]) -> str:
    """Content hash of a config and its policies."""
    digest = sha256(loaded.text)
    for source in sources:
        digest.update(source.document.model_dump_json().encode())
    return f"sha256:{digest.hexdigest()[:16]}"


def _doors(upstreams: dict[str, Upstream], config: GatewayConfig, catalog: Catalog) -> dict[str, Door]:
    hold = {name: server.list_ttl for name, server in config.servers.items()}
    doors = {name: Door(name, {name: one}, config.separator) for name, one in upstreams.items()}
    doors[""] = Door("", upstreams, config.separator)
    return {name: replace(door, list_seconds=hold, marks=catalog.marks) for name, door in doors.items()}


def _with_tasks(
    identify: Callable[[Call], Awaitable[Principal]],
    config: GatewayConfig,
    sources: Sequence[Source],
    kit: Kit,
) -> Callable[[Call], Awaitable[Principal]]:
    """`identify`, and the task a call acts under, where there can be any."""
    asserted = frozenset(
        task for source in sources for rule in source.document.rules for task in rule.asserted_tasks
    )
    tasks = config.tasks
    if not (tasks.declared or tasks.openers or asserted or kit.register.all()):
        return identify
    return Tasks(
        identify,
        declared={name: task_of(name, task) for name, task in tasks.declared.items()},
        asserted=asserted,
        register=kit.register,
        tokens=kit.task_tokens,
        clock=kit.clock,
    ).identify


def task_of(id: str, declared: DeclaredTask) -> Task:
    """The task as calls see it."""
    return Task(id, declared.purpose, dict(declared.attributes), declared.tools, declared.expires)


def task_terms(config: GatewayConfig) -> Terms:
    """Who may open which task."""
    tasks = config.tasks
    return Terms(
        openers=_openers(tasks.openers),
        declared={
            name: (task_of(name, task), _openers(task.openers)) for name, task in tasks.declared.items()
        },
        lifetime=tasks.lifetime,
    )


def _openers(openers: OpenersText | None) -> Openers:
    if openers is None:
        return Openers()
    return Openers(*(frozenset(getattr(openers, kind) or ()) for kind in Openers.__struct_fields__))


def _key(name: str, server: HttpServer | StdioServer) -> str:
    """All that matters for how a server is reached; secrets go into the hash, never into a log."""
    # A certificate that was written anew is another one, under the same name.
    written = [(file, os.stat(file).st_mtime_ns) for file in tls_files(server) if file.exists()]
    return sha256(repr((name, _plain(server), written)).encode()).hexdigest()


def _plain(value: Any) -> Any:
    """A section as plain data, its secrets with it."""
    if isinstance(value, BaseModel):
        # What a server is for, demands and speaks, and what its tools are, says nothing of how it is reached.
        fields = type(value).model_fields.keys() - {"description", "list_ttl", "scopes", "sql", "tools"}
        return {field: _plain(getattr(value, field)) for field in sorted(fields)}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def _tls(name: str, server: HttpServer) -> ssl.SSLContext | None:
    """Raises `ConfigError` for files that are no certificate, or no key for it."""
    if server.tls is None:
        return None
    try:
        context = ssl.create_default_context(cafile=server.tls.ca)
        if server.tls.cert is not None:
            context.load_cert_chain(server.tls.cert, server.tls.key)
    except (ssl.SSLError, OSError) as error:
        why = getattr(error, "reason", None) or type(error).__name__
        raise ConfigError([Problem(f"cannot be used: {why}.", key=f"servers.{name}.tls")]) from None
    return context


def _upstream(name: str, server: HttpServer | StdioServer, kit: Kit) -> Upstream:
    settings = _plain(server)
    upstream: Upstream
    if isinstance(server, HttpServer):
        shown = authorization.shown(server.auth, kit.http, kit.clock)
        tls = _tls(name, server)
        upstream = load(UPSTREAMS["sse" if server.type == "sse" else "http"])(
            name,
            server.url,
            shown(HttpClient(max_connections=server.max_connections, ssl_context=tls)),
            streams=shown(HttpClient(max_connections=MAX_STREAMS, ssl_context=tls)),
            headers=(
                *((key.lower().encode(), value.encode()) for key, value in settings["headers"].items()),
                *authorization.fixed(server.auth),
            ),
            seconds=server.timeout,
            total_seconds=server.total_timeout,
            revision=None if server.revision == "auto" else server.revision,
            per_caller=authorization.per_caller(server.auth),
        )
    else:
        upstream = load(UPSTREAMS["stdio"])(
            name,
            server.command,
            server.args,
            settings["env"],
            str(server.cwd),
            call_seconds=server.timeout,
            total_seconds=server.total_timeout,
            start_seconds=server.start_timeout,
            limits=Limits(server.limits.memory, server.limits.cpu, server.limits.files),
            max_children=server.max_children,
            idle_seconds=server.idle,
        )
    return Crossing(upstream, kit.held)
