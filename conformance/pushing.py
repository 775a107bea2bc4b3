"""Tools of the session revisions under the names that the scenarios of 2026-07-28 call. Runs with mcp 1.30.

They ask by requests of their own while the call is open: where a stateless client gets `input_required` all the
same, somebody on the way has put one into the other.
"""

import asyncio
from typing import Annotated, Any

from mcp import types
from mcp.server.fastmcp import Context
from mcp.shared.message import ServerMessageMetadata
from pydantic import BaseModel, Field

SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$defs": {"address": {"$anchor": "here", "type": "object", "properties": {"city": {"type": "string"}}}},
    "type": "object",
    "properties": {"address": {"$ref": "#/$defs/address"}, "way": {"enum": ["phone", "email"]}},
    "allOf": [{"anyOf": [{"required": ["address"]}, {"required": ["way"]}]}],
    "if": {"required": ["way"]},
    "then": {"required": ["address"]},
    "else": {"required": ["address"]},
    "additionalProperties": False,
}
"""Every keyword that has to arrive as it was written."""


class Name(BaseModel):
    """A form with one text."""

    name: str


class Confirmation(BaseModel):
    """A form with one switch."""

    ok: bool


class Color(BaseModel):
    """Another form with one text."""

    color: str


class Background(BaseModel):
    """What a prompt wants to know."""

    context: str


async def _sample(ctx: Context, text: str) -> str:
    message = types.SamplingMessage(role="user", content=types.TextContent(type="text", text=text))
    answer = await ctx.session.create_message([message], max_tokens=50, related_request_id=ctx.request_id)
    return str(getattr(answer.content, "text", ""))


async def _roots(ctx: Context) -> str:
    request = types.ServerRequest(types.ListRootsRequest())
    # Without the relation the question would go out on the GET stream, and no call would be known to wait for it.
    related = ServerMessageMetadata(related_request_id=ctx.request_id)
    answer = await ctx.session.send_request(request, types.ListRootsResult, metadata=related)
    return f"{len(answer.roots)} roots"


async def test_input_required_result_elicitation(ctx: Context) -> str:
    """Asks for a name."""
    answer = await ctx.elicit("What is your name?", Name)
    return f"Hello, {answer.data.name}!" if answer.action == "accept" else answer.action


async def test_input_required_result_sampling(ctx: Context) -> str:
    """Asks the client's model."""
    return await _sample(ctx, "What is the capital of France?")


async def test_input_required_result_list_roots(ctx: Context) -> str:
    """Asks for the client's roots."""
    return await _roots(ctx)


async def test_input_required_result_request_state(ctx: Context) -> str:
    """Asks for a confirmation; the state between the rounds is the gateway's."""
    await ctx.elicit("Please confirm", Confirmation)
    return "state-ok"


async def test_input_required_result_tampered_state(ctx: Context) -> str:
    """Asks for a confirmation; a changed state is the gateway's to refuse."""
    await ctx.elicit("Please confirm", Confirmation)
    return "done"


async def test_input_required_result_multiple_inputs(ctx: Context) -> str:
    """Asks three questions at once."""
    name = ctx.elicit("What is your name?", Name)
    await asyncio.gather(name, _sample(ctx, "Generate a greeting"), _roots(ctx))
    return "All inputs received."


async def test_input_required_result_multi_round(ctx: Context) -> str:
    """Asks one question after the other."""
    first = await ctx.elicit("Step 1: What is your name?", Name)
    second = await ctx.elicit("Step 2: What is your favorite color?", Color)
    return f"{first.action} {second.action}"


async def test_input_required_result_capabilities(ctx: Context) -> str:
    """Asks only for what the client declared."""
    introduced = ctx.session.client_params
    declared = introduced.capabilities if introduced else types.ClientCapabilities()
    if declared.elicitation:
        await ctx.elicit("Please confirm", Confirmation)
    if declared.sampling:
        await _sample(ctx, "Say hello")
    return "done"


async def test_streaming_elicitation(ctx: Context) -> str:
    """Reports progress, then asks."""
    await ctx.report_progress(1, 2)
    answer = await ctx.elicit("Please confirm", Confirmation)
    return answer.action


async def test_missing_capability(ctx: Context) -> str:
    """Asks the client's model, whether it has one or not."""
    return await _sample(ctx, "Say hello")


async def test_logging_tool(ctx: Context) -> str:
    """Logs once, whatever level was set."""
    await ctx.info("test_logging_tool ran")
    return "logged"


async def test_input_required_result_prompt(ctx: Context) -> str:
    """Asks before the prompt is written."""
    answer = await ctx.elicit("What context should the prompt use?", Background)
    return f"Context: {answer.data.context}" if answer.action == "accept" else answer.action


def test_x_mcp_header(
    region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})],
) -> str:
    """Wants one argument repeated in a header, which this wire has not: the gateway checks it all the same."""
    return f"region={region}"


def json_schema_2020_12_tool() -> str:
    """Stands for its schema."""
    return "unused"


def add_to(mcp: Any) -> None:
    """Beside what the everything-server has."""
    for tool in (
        test_input_required_result_elicitation,
        test_input_required_result_sampling,
        test_input_required_result_list_roots,
        test_input_required_result_request_state,
        test_input_required_result_tampered_state,
        test_input_required_result_multiple_inputs,
        test_input_required_result_multi_round,
        test_input_required_result_capabilities,
        test_streaming_elicitation,
        test_missing_capability,
        test_logging_tool,
        test_x_mcp_header,
        json_schema_2020_12_tool,
    ):
        mcp.add_tool(tool)
    # The SDK derives schemas from signatures and has no other way in.
    mcp._tool_manager._tools["json_schema_2020_12_tool"].parameters = SCHEMA
    mcp.prompt()(test_input_required_result_prompt)
