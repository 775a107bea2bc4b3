"""From a changed file to a swapped snapshot, or to a plain word why not. The last good config stays in force."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

from toolgate.compiler import Built, Kit, build
from toolgate.config.load import Loaded, load
from toolgate.config.schema import GatewayConfig
from toolgate.errors import ConfigError, Refusal
from toolgate.pipeline import Pipeline

_log = logging.getLogger("toolgate.reload")

DRAIN_SECONDS = 300.0
"""How long calls may still see a world that was replaced before its upstreams are stopped under them."""

_FIXED = (
    "listen",
    "admin",
    "public_url",
    "allowed_hosts",
    "allowed_origins",
    "legacy_sse",
    "tls",
    "limits",
    "sessions",
    "ledger",
    "sinks",
    "authzen",
)
"""Sections that are read once, at start."""

Tell = Callable[[str, str], Awaitable[None]]
"""Told of each reload, with what happened and a detail, for the ledger."""


class Reloader:
    """Owns what is in force: the loaded file, the snapshot and what it holds."""

    def __init__(
        self,
        path: Path,
        loaded: Loaded[GatewayConfig],
        built: Built,
        pipeline: Pipeline,
        kit: Kit,
        tell: Tell,
    ) -> None:
        self.loaded = loaded
        self.error: str | None = None
        """Why the file as it stands now is not in force; None while it is."""
        self._path = path
        self._built = built
        self._pipeline = pipeline
        self._kit = kit
        self._tell = tell
        self._retiring: set[asyncio.Task[None]] = set()
        self._one_at_a_time = asyncio.Lock()

    async def reload(self) -> bool:
        """Put the file into force. False, with everything as it was, where it cannot be. Raises nothing."""
        async with self._one_at_a_time:
            try:
                loaded = await asyncio.to_thread(load, self._path)
                built = await build(loaded, self._kit)
            except ConfigError as error:
                return await self._refuse(str(error))
            except Exception as error:  # noqa: BLE001 - a bug: the next change of the file is still looked at
                _log.error("the reload failed", exc_info=error)
                return await self._refuse(f"an unexpected {type(error).__name__}; the log has its trace")
            return await self._swap(loaded, built)

    async def _refuse(self, why: str) -> bool:
        self.error = why
        _log.error("the changed config is not in force:\n%s", why)
        await self._record("config_refused", why[:1000])
        return False

    async def ask_again(self) -> None:
        """Reload where a vault or a keyring says something else than before; those give no sign themselves."""
        if self.loaded.silent is None:
            return
        try:
            loaded = await asyncio.to_thread(load, self._path)
        except ConfigError as error:
            _log.warning("secrets cannot be asked for again; those read before stay in force:\n%s", error)
            return
        if self.error is not None or loaded.silent != self.loaded.silent:
            await self.reload()

    async def _record(self, what: str, detail: str) -> None:
        try:
            await self._tell(what, detail)
        except Refusal as refusal:
            _log.error("%s could not be recorded: %s", what, refusal)

    async def _swap(self, loaded: Loaded[GatewayConfig], built: Built) -> bool:
        for section in _FIXED:
            if getattr(loaded.value, section) != getattr(self.loaded.value, section):
                _log.warning("'%s' changed: restart the gateway to put that into force", section)
        former, self._built = self._built, built
        self.loaded, self.error = loaded, None
        self._pipeline.snapshot = built.snapshot
        built.in_force()
        self._pipeline.subscribers.renewed()
        self._retire(former)
        _log.info("config %s in force, policy %s", built.snapshot.version, built.snapshot.policy.version)
        await self._record(
            "config_changed", f"config {built.snapshot.version} policy {built.snapshot.policy.version}"
        )
        return True

    def _retire(self, former: Built) -> None:
        async def when_idle() -> None:
            try:
                async with asyncio.timeout(DRAIN_SECONDS):
                    await former.snapshot.lease.idle()
            except TimeoutError:
                _log.warning("calls of config %s are cut after %g s", former.snapshot.version, DRAIN_SECONDS)
            await former.release()

        task = asyncio.create_task(when_idle())
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    async def aclose(self) -> None:
        """Let go of everything."""
        for task in self._retiring:
            task.cancel()
        await asyncio.gather(*self._retiring, return_exceptions=True)
        await self._built.release()
