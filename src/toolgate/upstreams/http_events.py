"""Server-sent events in the body of an HTTP answer, as they come."""

from collections.abc import AsyncIterator

from toolgate.ports import HttpResponse
from toolgate.protocol import sse

MAX_MESSAGE = 16 * 1024 * 1024


def is_stream(response: HttpResponse) -> bool:
    """Whether the body is a stream of events."""
    return response.headers.get(b"content-type", b"").startswith(b"text/event-stream")


async def events(chunks: AsyncIterator[bytes]) -> AsyncIterator[sse.Event]:
    """The events in the chunks. Raises `sse.TooLarge`, and what `chunks` raises."""
    reader = sse.Reader(MAX_MESSAGE)
    async for chunk in chunks:
        for event in reader.feed(chunk):
            yield event
