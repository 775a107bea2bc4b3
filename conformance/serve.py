"""The reference servers as the cells need them. Runs in the environment of an SDK, not in ours.

`python serve.py dual|legacy|modern PORT`, `python serve.py stdio`; the everything-server stands on PYTHONPATH.
"""

import sys
from collections.abc import Awaitable, Callable
from typing import Any

from mcp_everything_server import server

MODERN = b"2026-07-28"
RETRY_MS = 100
"""What the everything-server's own command line uses."""

_REFUSAL = (
    b'{"jsonrpc":"2.0","id":null,"error":{"code":-32022,"message":"Unsupported protocol version",'
    b'"data":{"supported":["2026-07-28"],"requested":""}}}'
)


def modern_only(app: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """Refuses what does not say that it is of the stateless revision, as a server without the others does."""

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        version = MODERN
        if scope["type"] == "http":
            version = dict(scope["headers"]).get(b"mcp-protocol-version", b"")
        if version == MODERN:
            await app(scope, receive, send)
            return
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(_REFUSAL))]
        await send({"type": "http.response.start", "status": 400, "headers": headers})
        await send({"type": "http.response.body", "body": _REFUSAL})

    return serve


def app_of(kind: str) -> Any:
    """The ASGI application of a kind of server."""
    if kind == "legacy":
        import pushing

        pushing.add_to(server.mcp)
        return server.mcp.streamable_http_app()
    if kind == "modern":
        import rounds

        rounds.add_to(server.mcp)
    app = server.mcp.streamable_http_app(event_store=server.event_store, retry_interval=RETRY_MS)
    return modern_only(app) if kind == "modern" else app


def main() -> None:
    """Serve until the process is stopped."""
    kind = sys.argv[1]
    if kind == "stdio":
        import pushing

        pushing.add_to(server.mcp)
        server.mcp.run(transport="stdio")
        return
    import uvicorn

    uvicorn.run(app_of(kind), host="127.0.0.1", port=int(sys.argv[2]), log_level="warning")


main()
