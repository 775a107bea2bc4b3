"""A reply as a row of messages, and a row of messages as a reply. Knows no message."""

from collections.abc import AsyncGenerator

from toolgate.model import Reply

Messages = AsyncGenerator[tuple[bool, bytes], None]
"""Messages for a client, each with whether it is the response, which is the last."""


async def each(reply: Reply) -> AsyncGenerator[bytes, None]:
    """The messages of a reply, whatever its framing."""
    if reply.stream is None:
        assert reply.message is not None
        yield reply.message
        return
    try:
        async for message in reply.stream:
            yield message
    finally:
        await reply.stream.aclose()


async def reply_of(messages: Messages) -> Reply:
    """One message where the response comes first, so that it may leave without a stream."""
    final, first = await anext(messages)
    if not final:
        return Reply(stream=_stream(first, messages))
    await messages.aclose()
    return Reply(message=first)


async def _stream(first: bytes, messages: Messages) -> AsyncGenerator[bytes, None]:
    try:
        yield first
        async for _, message in messages:
            yield message
    finally:
        await messages.aclose()
