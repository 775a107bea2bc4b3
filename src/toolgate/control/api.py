"""The admin listener: what operators and their monitoring ask for. Never on the data plane's address."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import msgspec

from toolgate.control.authzen import PATHS, Asked, DecisionPoint
from toolgate.control.tasks import TaskPages
from toolgate.telemetry.metrics import CONTENT_TYPE, Metrics

TASKS = "/v1/tasks"

Message = MutableMapping[str, Any]


class Admin:
    """ASGI callable with `/metrics`, `/healthz`, `/v1/tasks`, and what a decision point answers."""

    def __init__(
        self, metrics: Metrics | None, tasks: TaskPages, decisions: DecisionPoint | None = None
    ) -> None:
        self._metrics = metrics
        self._tasks = tasks
        self._decisions = decisions

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """ASGI 3, HTTP only."""
        if self._decisions is not None and scope["path"] in PATHS:
            sent = (await receive()).get("body", b"")
            asked = Asked(scope["method"], scope["path"], scope["headers"], sent, scope["client"][0])
            code, given, text = await self._decisions.answer(asked)
            await send({"type": "http.response.start", "status": code, "headers": given})
            await send({"type": "http.response.body", "body": text})
            return
        status, kind, body = 404, b"text/plain", b"not found\n"
        if scope["path"] == "/healthz":
            status, body = 200, b"ok\n"
        elif scope["path"] == "/metrics" and self._metrics is not None:
            # 62 ms for 9,000 series: in a thread, or each scrape would stall every call.
            status, kind, body = 200, CONTENT_TYPE, await asyncio.to_thread(self._metrics.text)
        elif scope["path"] == TASKS or scope["path"].startswith(f"{TASKS}/"):
            named = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
            sent = (await receive()).get("body", b"")
            key = scope["path"].removeprefix(TASKS).removeprefix("/")
            status, answer = await self._tasks.answer(scope["method"], key, named, sent)
            kind, body = b"application/json", msgspec.json.encode(answer)
        headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
