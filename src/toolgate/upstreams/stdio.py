"""An MCP server that is a child process, spoken to over stdin and stdout. Decides nothing about calls."""

import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from toolgate.errors import Refusal
from toolgate.model import Principal, Reply, Session
from toolgate.ports import Clock, Opened, Outbound
from toolgate.protocol.lines import MAX_LINE
from toolgate.protocol.versions import is_modern
from toolgate.upstreams.audience import Audience
from toolgate.upstreams.channels import Bounds, Channels
from toolgate.upstreams.child import Child, Command, Limits, start
from toolgate.upstreams.conversation import Patience
from toolgate.upstreams.opening import opening

UNBOUNDED = Limits()

INHERITED = ("HOME", "LANG", "LC_ALL", "LC_CTYPE", "LOGNAME", "PATH", "TMPDIR", "TZ", "USER")
"""All that a child gets of the gateway's environment: nothing a secret is kept in."""


class Stdio:
    """The upstream over stdin and stdout; meets `ports.Upstream`.

    Two callers share a child only if they are the same principal, with the same revision and capabilities
    (E32). A child that crashed is started anew by the next call, after a pause (E83).
    """

    def __init__(
        self,
        name: str,
        command: str,
        args: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        *,
        call_seconds: float = 60.0,
        total_seconds: float = 900.0,
        start_seconds: float = 10.0,
        stop_seconds: float = 2.0,
        max_children: int = 32,
        idle_seconds: float = 600.0,
        max_line: int = MAX_LINE,
        limits: Limits = UNBOUNDED,
        clock: Clock = time.time,
    ) -> None:
        self.name = name
        self._audience = Audience(name)
        self._command = Command(command, tuple(args), environment(env or {}), cwd, max_line, limits)
        self._log = logging.getLogger(f"toolgate.upstream.{name}")
        self._children = Channels(
            name,
            self._start,
            Bounds(max_children, idle_seconds),
            Patience(call_seconds, total_seconds, start_seconds, stop_seconds),
            self._log,
            clock,
            self._audience.tell,
            self._audience.listens,
        )

    def credential(self, principal: Principal) -> object:
        """Each principal has a child, which may remember what it was asked."""
        return principal.id

    async def speaks(self, revision: str, principal: Principal) -> bool:
        """Only revisions with a handshake are spoken to children."""
        return not is_modern(revision)

    async def initialize(self, session: Session, principal: Principal) -> Opened:
        """What the server said when its child was started, which this does where none runs."""
        return Opened((await self._children.get(opening(session, principal))).result)

    async def exchange(self, out: Outbound) -> Reply:
        """Send a request, return the answer: one message, or a stream with the response last.

        Closing the stream or cancelling tells the server, and swallows a late response. Raises `Refusal`.
        """
        conversation = await self._children.get(opening(out.session, out.principal))
        return await conversation.exchange(out)

    async def send(self, out: Outbound) -> None:
        """Send a notification or a response; without a running child there is nobody to be told."""
        conversation = self._children.find(opening(out.session, out.principal).key)
        if conversation is not None:
            await conversation.send(out)

    def listen(
        self, session: Session, principal: Principal, ready: Callable[[], None] | None = None
    ) -> AsyncIterator[bytes]:
        """Notifications that belong to no call, from now on, across restarts of the child.

        A session has one listener: a new one ends the one before. Who reads too slowly loses the oldest.
        """
        mailbox = self._audience.join(opening(session, principal).key, session.id)
        if ready is not None:
            ready()
        return mailbox

    async def forget(self, session: Session, principal: Principal) -> None:
        """End the session's listener. The child is the principal's, so it stays."""
        self._audience.leave(opening(session, principal).key, session.id)

    async def aclose(self) -> None:
        """Stop every child and end every listener."""
        self._audience.close()
        await self._children.aclose()

    async def _start(self, heard: Callable[[bytes], None], ended: Callable[[str], None]) -> Child:
        try:
            return await start(self._command, self._log, heard, ended)
        except OSError as error:
            raise Refusal.unavailable(f"{self.name}: cannot be started: {error}") from error


def environment(configured: Mapping[str, str]) -> dict[str, str]:
    """What a child finds in its environment: a few harmless names, then what is configured for it."""
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return {**inherited, **configured}
