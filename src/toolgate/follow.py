"""From the upstream's answer to the client's, closing the record on the way. No routing, no policy.

An answer in one message closes the record, and leaves once that is safe. An answer in several writes a `begin` line
before its first message and an `end` line before its last.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from toolgate.errors import Refusal
from toolgate.ledger.entry import Entry
from toolgate.model import Call, Outcome, Promise, Reply
from toolgate.protocol import bridge, refused
from toolgate.protocol.bridge import Incoming, Return, Sort

_FINAL = frozenset({Sort.RESULT, Sort.ERROR})


async def follow(reply: Reply, back: Return, call: Call, entry: Entry) -> Reply:
    """The reply in the client's words. A stream of several messages takes over closing `entry`."""
    if reply.stream is None:
        assert reply.message is not None
        answer = back.read(reply.message)
        if answer.sort not in _FINAL:
            raise bridge.lie("the one message is no response")
        return Reply(message=answer.message, status=reply.status, recorded=_close(entry, answer))
    messages = _read(reply.stream, back)
    first = await anext(messages)
    if first.sort in _FINAL:
        await messages.aclose()
        return Reply(message=first.message, recorded=_close(entry, first))
    await entry.begin()
    entry.handed_over = True
    return Reply(stream=await begun(_rest(first, messages, call, entry)))


async def begun(stream: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """The stream past its first, empty message. One that was not begun would not notice that it is closed, and
    its record would stay open."""
    await anext(stream)
    return stream


async def _read(stream: AsyncGenerator[bytes, None], back: Return) -> AsyncGenerator[Incoming, None]:
    try:
        async for message in stream:
            with contextlib.suppress(bridge.Unasked):
                yield back.read(message)
        raise bridge.lie("the stream ended before the answer")
    finally:
        await stream.aclose()


async def _rest(
    first: Incoming, messages: AsyncGenerator[Incoming, None], call: Call, entry: Entry
) -> AsyncGenerator[bytes, None]:
    try:
        yield b""
        yield first.message
        async for incoming in messages:
            if incoming.sort in _FINAL:
                await _close(entry, incoming)
                yield incoming.message
                return
            yield incoming.message
    except GeneratorExit as gone:
        await entry.failed(gone)
        raise
    except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - the entry sorts them
        failure = await _failure(entry, error)
        # The stream has begun under 200, so the error goes into it.
        yield refused.write(failure, id=call.id, method=call.method, revision=call.revision)[1]
    finally:
        await messages.aclose()


async def _failure(entry: Entry, error: BaseException) -> Refusal:
    try:
        await entry.failed(error)
    except Refusal as bug:
        return bug
    if isinstance(error, Refusal):
        return error
    raise error


def _close(entry: Entry, answer: Incoming) -> Promise:
    size = len(answer.message)
    if answer.sort is Sort.ERROR:
        return entry.close(Outcome.ERROR, code=answer.code, size=size)
    return entry.close(Outcome.TOOL_ERROR if answer.tool_error else Outcome.OK, size=size)
