"""Composition: builds everything from one config, starts it, and stops it in the right order."""

import asyncio
import contextlib
import gc
import logging
import resource
import signal
import socket
import ssl
import time
from pathlib import Path
from secrets import token_bytes
from typing import Any
from urllib.parse import urlsplit

import msgspec

from toolgate import __version__
from toolgate.compiler import Built, build, new_kit, task_terms
from toolgate.config.address import HostPort
from toolgate.config.load import Loaded, load
from toolgate.config.schema import GatewayConfig, Ledger
from toolgate.config.watch import changes
from toolgate.control.api import Admin
from toolgate.control.authzen import DecisionPoint
from toolgate.control.reload import Reloader
from toolgate.control.tasks import TaskPages, asking
from toolgate.deliveries import Deliveries, open_deliveries, traced_share
from toolgate.errors import ConfigError, Problem, Refusal
from toolgate.identity.task_register import OpenTask
from toolgate.ledger import clock, inbox, values
from toolgate.ledger.acts import START, Started
from toolgate.ledger.checkpoints import Checkpoints
from toolgate.ledger.digest import Digest, load_key
from toolgate.ledger.entry import Book
from toolgate.ledger.marks import new_id, timestamp
from toolgate.ledger.segments import SUBJECTS
from toolgate.ledger.set_aside import SET_ASIDE, open_ledger
from toolgate.ledger.subjects import Subjects
from toolgate.ledger.totals import counted
from toolgate.ledger.values import Describe
from toolgate.ledger.writer import Writer
from toolgate.listeners.asgi import Asgi
from toolgate.listeners.edge import Edge, host_name
from toolgate.listeners.http import App, door_name
from toolgate.listeners.listener import Listener
from toolgate.listeners.sse import Sse
from toolgate.listeners.stdio import Stdio
from toolgate.listeners.well_known import Pages, Resource
from toolgate.listening import Subscribers
from toolgate.model import Principal, Record
from toolgate.pipeline import Pipeline
from toolgate.ports import Full, Tally
from toolgate.protocol.deferred import DeferredCalls
from toolgate.protocol.seal import KeyRing
from toolgate.routing.sessions import Sessions
from toolgate.telemetry.metrics import Metrics
from toolgate.telemetry.reader_metrics import ReaderMetrics
from toolgate.upstreams.http_client import HttpClient

_log = logging.getLogger("toolgate")

GC_THRESHOLD = 20_000
"""Objects between collections: a call makes some hundred that die by reference count, cycles are rare."""

GRACE_SECONDS = 10
"""How long calls in flight may go on after a signal to stop."""


async def serve(path: Path) -> None:
    """Run the gateway of this config until SIGTERM or SIGINT. Raises `ConfigError` where it cannot start."""
    gateway = Gateway(path, load(path))
    try:
        await gateway.start()
        await gateway.run()
    finally:
        await gateway.aclose()


async def serve_stdio(path: Path, output: int) -> None:
    """Run the gateway for the one client on standard input, until that ends. `output` is where answers go.

    Raises `ConfigError` where it cannot start.
    """
    gateway = Gateway(path, load(path))
    try:
        await gateway.start()
        await gateway.run_stdio(output)
    finally:
        await gateway.aclose()


class Gateway:
    """One running gateway."""

    def __init__(self, path: Path, loaded: Loaded[GatewayConfig]) -> None:
        self._path = path
        self._loaded = loaded
        self._config = loaded.value
        keys = [key.get_secret_value() for key in self._config.sessions.keys]
        self._keys = KeyRing(keys or [token_bytes(32)])
        self._metrics = Metrics()
        self._http = HttpClient(max_connections=8)
        self._kit = new_kit(self._http, self._public())
        self._ledger = self._writer()
        self._metrics.tell_ledger_failed(lambda: self._ledger.failed is not None)
        self._checkpoints: Checkpoints | None = None
        self._deliveries = Deliveries(())
        self._reloader: Reloader | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._listeners: list[Listener] = []
        self._app: App | None = None
        self._old: Sse | None = None
        self._stdio: Stdio | None = None
        self._stopping = asyncio.Event()
        self._forced = asyncio.Event()
        self._started = False

    async def start(self) -> None:
        """Ready to serve: ledger claimed, config compiled, nothing listening yet."""
        ledger = self._config.ledger
        opened = await open_ledger(
            Path(ledger.path), self._writer, self._signed, set_aside=ledger.on_damage == "set_aside"
        )
        self._ledger, self._checkpoints, self._started = opened.writer, opened.checkpoints, True
        self._deliveries = Deliveries(
            open_deliveries(self._loaded, lambda: self._ledger.head.seq, _sink_http, self._note)
        )
        kit = self._kit
        built = await build(self._loaded, kit)
        subscribers = Subscribers(self._config.limits.listens)
        self._remember(kit.tally)
        book = self._book()
        self._pipeline = Pipeline(
            built.snapshot,
            book,
            self._sessions(),
            kit.catalog,
            subscribers,
            DeferredCalls(self._keys, time.time),
            traced_share(self._config),
        )
        self._decisions = self._decision_point(book)
        self._reloader = Reloader(self._path, self._loaded, built, self._pipeline, kit, self._note)
        started = Started(str(self._checkpoints.verifier))
        await self._note(START, self._described(built), msgspec.to_builtins(started))
        if opened.damaged is not None:
            _log.error("a damaged ledger was set aside as %s:\n%s", opened.damaged, opened.damage)
            facts = {"folder": str(opened.damaged)}
            await self._note(SET_ASIDE, f"{opened.damaged}: {opened.damage}"[:1000], facts)
        self._tasks.append(asyncio.create_task(self._checkpoints.run(ledger.checkpoint_every)))
        self._tasks.append(asyncio.create_task(self._record_notes(ledger.checkpoint_every)))
        self._tasks.append(asyncio.create_task(clock.watch(self._clock_jumped)))
        self._deliveries.start()
        self._metrics.also(ReaderMetrics(self._deliveries.all, self._ledger, self._checkpoints))

    def _writer(self) -> Writer:
        config = self._config.ledger
        return Writer(
            Path(config.path),
            durability=config.durability,
            segment_bytes=config.segment_size,
            on_failure=config.on_failure,
            spool_bytes=config.spool_size,
        )

    def _signed(self, writer: Writer) -> Checkpoints:
        config = self._config.ledger
        return Checkpoints(Path(config.path), config.signing_key, lambda: writer.head)

    async def run(self) -> None:
        """Listen until a signal says stop."""
        _allow_descriptors()
        config = self._config
        edge = edge_of(config)
        self._old = Sse(self._pipeline, edge, self._prefix()) if config.legacy_sse else None
        app = self._app = App(self._pipeline, edge, self._pages(), self._old)
        self._listeners = [Listener(app, edge, tls=_tls(config))]
        binds = [config.listen]
        if config.admin is not None:
            metrics = self._metrics if config.metrics else None
            self._listeners.append(
                Listener(Asgi(Admin(metrics, self._tasks_pages(), self._decisions), edge), edge)
            )
            binds.append(config.admin)
        sockets = [_bind(address) for address in binds]
        self._tasks += [asyncio.create_task(self._watch()), asyncio.create_task(self._ask_again())]
        self._on_signals()
        # What is loaded by now lives as long as the process: collections need not walk it again and again.
        gc.freeze()
        gc.set_threshold(GC_THRESHOLD)
        for listener, sock in zip(self._listeners, sockets, strict=True):
            await listener.start(sock)
        _log.info("listening on http%s://%s/mcp", "s" if config.tls else "", config.listen)
        await self._stopping.wait()
        await asyncio.gather(*(one.stop(GRACE_SECONDS, self._forced) for one in self._listeners))

    async def run_stdio(self, output: int) -> None:
        """Serve the client on standard input; nothing listens on the network."""
        limits = self._config.limits
        self._stdio = Stdio(self._pipeline, json_depth=limits.json_depth, max_line=limits.body, output=output)
        self._tasks.append(asyncio.create_task(self._watch()))
        self._on_signals()
        _log.info("serving standard input")
        await self._stdio.run()

    async def aclose(self) -> None:
        """Stop in order: listeners are closed already; then upstreams, then the ledger, last."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._app is not None:
            await self._app.aclose()
        if self._reloader is not None:
            await self._reloader.aclose()
        await self._kit.pool.aclose()
        await self._http.aclose()
        if self._started:
            if self._reloader is not None:
                await self._note("stop", "")
            await self._deliveries.aclose()
            if self._checkpoints is not None:
                await self._checkpoints.aclose()
            await self._ledger.aclose()

    def _remember(self, tally: Tally) -> None:
        """Totals go on where they stood when the gateway was stopped."""
        if tally.horizon:
            for key, moment, amount in counted(Path(self._config.ledger.path), time.time() - tally.horizon):
                with contextlib.suppress(Full):
                    tally.count(key, moment, amount)

    async def _clock_jumped(self, seconds: float) -> None:
        _log.warning("the clock of this machine jumped by %+.3f s", seconds)
        with contextlib.suppress(Refusal):
            await self._note("clock/jumped", f"{seconds:+.3f} s", {"seconds": round(seconds, 3)})

    async def _record_notes(self, every: float) -> None:
        """What others did to the ledger's folder is recorded like our own acts."""
        folder = Path(self._config.ledger.path)
        while True:
            with contextlib.suppress(OSError, Refusal):  # Later, then: the notes stay.
                for path, note in await asyncio.to_thread(inbox.waiting, folder):
                    await self._note(note.method, note.detail, note.arguments)
                    path.unlink()
            await asyncio.sleep(every)

    def _book(self) -> Book:
        config = self._config.ledger
        count = self._metrics.count
        if config.values == "sealed":
            sealing = sealing_of(config)
            return Book(self._ledger, sealing.describe, count, sealing.who)
        return Book(self._ledger, described(config), count)

    def _decision_point(self, book: Book) -> DecisionPoint | None:
        authzen, admin = self._config.authzen, self._config.admin
        if authzen is None or admin is None:
            return None
        url = authzen.public_url or f"http://{admin}"
        return DecisionPoint(url, authzen.role, lambda: self._pipeline.snapshot, book)

    def _sessions(self) -> Sessions:
        return Sessions(self._keys, self._config.sessions.lifetime, time.time)

    def _public(self) -> str:
        config = self._config
        return config.public_url or f"http{'s' if config.tls else ''}://{config.listen}"

    def _tasks_pages(self) -> TaskPages:
        reloader, kit = self._reloader, self._kit
        assert reloader is not None
        return TaskPages(
            lambda: task_terms(reloader.loaded.value),
            lambda headers: self._pipeline.snapshot.identify(asking(headers)),
            kit.register,
            kit.task_tokens,
            self._task_note,
        )

    async def _task_note(self, what: str, by: Principal, opened: OpenTask) -> None:
        record = Record(id=new_id(), ts=timestamp(time.time()), event="gateway", method=what)
        record.principal, record.agent, record.user, record.tenant = by.id, by.agent, by.user, by.tenant
        record.task = opened.task.id
        record.detail = f"{opened.key} for {opened.agent or 'its opener'} until {timestamp(opened.expires)}"
        record.config = self._pipeline.snapshot.version
        await self._ledger.append(record)

    def _pages(self) -> Pages:
        return Pages(
            resource=self._public(),
            described=self._described_resource,
            is_door=lambda path: door_name(path) in self._pipeline.snapshot.doors,
            ready=self._ready,
        )

    def _described_resource(self) -> Resource:
        config = self._config if self._reloader is None else self._reloader.loaded.value
        demands = [scopes for server in config.servers.values() for scopes in server.scopes.values()]
        return Resource(
            issuers=tuple(issuer.issuer for issuer in config.identity.issuers),
            scopes=tuple(sorted({scope for scopes in demands for scope in scopes})),
            certificate_bound=config.tls is not None and config.tls.client_ca is not None,
        )

    def _prefix(self) -> str:
        """The path below which clients see the gateway, where a proxy in front of it adds one."""
        return urlsplit(self._config.public_url or "").path.rstrip("/")

    def _ready(self) -> dict[str, Any]:
        snapshot = self._pipeline.snapshot
        failed = self._ledger.failed
        assert self._reloader is not None
        assert self._checkpoints is not None
        return {
            "ready": self._ledger.answering,
            "enforcing": True,
            "ledger": "ok" if failed is None else "spooling" if self._ledger.kept else "failed",
            "checkpoints": "ok" if self._checkpoints.problem is None else "failed",
            "sinks": {one.name: "ok" if one.problem is None else "failed" for one in self._deliveries.all},
            "config": snapshot.version,
            "policy": snapshot.policy.version,
            "config_on_disk": "in force" if self._reloader.error is None else "refused",
        }

    def _described(self, built: Built) -> str:
        snapshot = built.snapshot
        return f"toolgate {__version__} config {snapshot.version} policy {snapshot.policy.version}"

    async def _note(self, what: str, detail: str, facts: Any = None) -> None:
        """An act of the gateway itself, as a record."""
        record = Record(id=new_id(), ts=timestamp(time.time()), event="gateway", method=what)
        record.detail = detail or None
        record.arguments = facts
        record.config = self._pipeline.snapshot.version
        await self._ledger.append(record)

    async def _watch(self) -> None:
        reloader = self._reloader
        assert reloader is not None
        async for _ in changes(lambda: reloader.loaded):
            await reloader.reload()

    async def _ask_again(self) -> None:
        reloader = self._reloader
        assert reloader is not None
        while True:
            await asyncio.sleep(reloader.loaded.value.secrets.refresh)
            await reloader.ask_again()

    def _on_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload_soon)

    def _stop(self) -> None:
        _log.info("stopping; calls in flight may finish")
        self._pipeline.stop_listening()
        if self._stdio is not None:
            self._stdio.stop()
        if self._old is not None:
            self._tasks.append(asyncio.create_task(self._old.finish()))
        if self._stopping.is_set():
            self._forced.set()
        self._stopping.set()

    def _reload_soon(self) -> None:
        async def reload() -> None:
            if self._reloader is not None:
                await self._reloader.reload()

        self._tasks.append(asyncio.create_task(reload()))


def _allow_descriptors() -> None:
    """Streams stay open at both ends: take as many descriptors as this account may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _tls(config: GatewayConfig) -> ssl.SSLContext | None:
    if config.tls is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(config.tls.cert, config.tls.key)
    if config.tls.client_ca is not None:
        context.load_verify_locations(config.tls.client_ca)
        required = config.tls.client_certificate == "required"
        context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
    return context


def described(config: Ledger) -> Describe:
    """What the records keep of arguments. The ledger must be claimed. Raises `ConfigError`."""
    if config.values == "none":
        return values.nothing
    if config.values == "full":
        return values.full
    folder = Path(config.path)
    key = load_key(folder)
    digest = Digest(key).of
    if config.values == "redacted":
        return values.redacted(digest, config.reveal)
    return values.digest(digest)


def sealing_of(config: Ledger) -> values.Sealing:
    """Seals what the records keep. The ledger must be claimed. Raises `ConfigError`."""
    folder = Path(config.path)
    key = load_key(folder)
    keys = config.subject_keys or folder / SUBJECTS
    try:
        return values.Sealing(Digest(key).of, Subjects(keys, key))
    except OSError as problem:
        text = f"The folder of keys cannot be made: {problem.strerror}."
        raise ConfigError([Problem(text, file=str(keys), key="ledger.subject_keys")]) from problem


def _sink_http() -> HttpClient:
    """Two connections each: deliveries of one sink follow one another."""
    return HttpClient(max_connections=2)


def edge_of(config: GatewayConfig) -> Edge:
    """The bounds of the listener."""
    limits = config.limits
    hosts = {config.listen.host, *config.allowed_hosts}
    if config.listen.loopback:
        hosts |= {"localhost", "127.0.0.1", "::1"}
    if config.public_url is not None:
        hosts.add(host_name(config.public_url.partition("://")[2].partition("/")[0]))
    return Edge(
        hosts=frozenset(host.lower() for host in hosts),
        origins=frozenset(config.allowed_origins),
        loopback=config.listen.loopback,
        max_body=limits.body,
        max_headers=limits.headers,
        max_header_count=limits.header_count,
        header_seconds=limits.header_seconds,
        json_depth=limits.json_depth,
    )


def _bind(address: HostPort) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((address.host, address.port))
    return sock
