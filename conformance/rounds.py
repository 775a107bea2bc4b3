"""Tools of the stateless revision under the names that the scenarios of sessions call. Runs with mcp 2.3.

What the everything-server asks there by a request of its own, they ask by `input_required`: where a client with
sessions gets its question all the same, somebody on the way has put one into the other.
"""

from typing import Annotated, Any

from mcp.server.mcpserver import Elicit, ElicitationResult, Resolve, Sample
from mcp.types import CreateMessageResult, SamplingMessage, TextContent
from mcp_everything_server.server import EnumSchemasTestSchema, SEP1034DefaultsSchema, UserResponse


def _ask_user(message: str) -> Elicit[UserResponse]:
    return Elicit(message, UserResponse)


def _ask_defaults() -> Elicit[SEP1034DefaultsSchema]:
    return Elicit("Please review the defaults", SEP1034DefaultsSchema)


def _ask_enums() -> Elicit[EnumSchemasTestSchema]:
    return Elicit("Please choose", EnumSchemasTestSchema)


def _ask_model(prompt: str) -> Sample:
    message = SamplingMessage(role="user", content=TextContent(type="text", text=prompt))
    return Sample([message], max_tokens=100)


def test_elicitation(
    message: str, answer: Annotated[ElicitationResult[UserResponse], Resolve(_ask_user)]
) -> str:
    """Asks for one word."""
    return f"User response: action={answer.action}, content={_content(answer)}"


def test_elicitation_sep1034_defaults(
    answer: Annotated[ElicitationResult[SEP1034DefaultsSchema], Resolve(_ask_defaults)],
) -> str:
    """Asks with a default for every primitive type."""
    return f"Elicitation result: action={answer.action}, content={_content(answer)}"


def test_elicitation_sep1330_enums(
    answer: Annotated[ElicitationResult[EnumSchemasTestSchema], Resolve(_ask_enums)],
) -> str:
    """Asks with every form of enum."""
    return f"Elicitation completed: action={answer.action}, content={_content(answer)}"


def test_sampling(prompt: str, answer: Annotated[CreateMessageResult, Resolve(_ask_model)]) -> str:
    """Asks the client's model."""
    return f"LLM response: {getattr(answer.content, 'text', '')}"


def _content(answer: Any) -> str:
    return answer.data.model_dump_json() if answer.action == "accept" else "{}"


def add_to(mcp: Any) -> None:
    """Take the place of the everything-server's tools of these names."""
    for tool in (
        test_elicitation,
        test_elicitation_sep1034_defaults,
        test_elicitation_sep1330_enums,
        test_sampling,
    ):
        mcp.remove_tool(tool.__name__)
        mcp.add_tool(tool)
