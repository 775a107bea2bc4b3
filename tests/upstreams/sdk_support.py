"""A server on the official SDK, over real HTTP. It speaks every revision the SDK knows."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from mcp.server.mcpserver import MCPServer


@contextmanager
def sdk_server(*, sse: bool = False) -> Iterator[str]:
    """Its URL, while the block runs; with `sse` that of HTTP+SSE."""
    server = MCPServer("sdk")

    @server.tool()
    def hello(name: str) -> str:
        return f"hello {name}"

    app = server.sse_app() if sse else server.streamable_http_app()
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", ws="none")
    running = uvicorn.Server(config)
    ready = threading.Event()
    thread = threading.Thread(target=lambda: running.run(), daemon=True)
    thread.start()
    while not running.started and thread.is_alive():
        ready.wait(0.01)
    try:
        port = running.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/{'sse' if sse else 'mcp'}"
    finally:
        running.should_exit = True
        thread.join()
