"""What every revision asks of a request's params before anybody acts on them: bounds and types. No I/O."""

from collections.abc import Mapping
from typing import Any

from toolgate.errors import INVALID_PARAMS, Refusal

MAX_STATE = 64 * 1024
"""Characters of a `requestState`."""
MAX_TOKEN = 1024
"""Characters of a progress token, which is repeated in every step (E71)."""


def check(method: str, params: Mapping[str, Any]) -> None:
    """Raises `Refusal` (-32602)."""
    state = params.get("requestState")
    if state is not None and (not isinstance(state, str) or len(state) > MAX_STATE):
        # In the words of every other state that is of no use, so that nobody learns what was wrong with it (E66).
        raise _refused("requestState is not valid any more; begin the call anew.")
    meta = params.get("_meta")
    if isinstance(meta, dict) and "progressToken" in meta:
        _check_token(meta["progressToken"])
    if method == "prompts/get":
        _check_prompt_arguments(params.get("arguments"))


def _check_token(token: Any) -> None:
    if not isinstance(token, str | int) or isinstance(token, bool) or len(str(token)) > MAX_TOKEN:
        raise _refused(f"A progress token is an integer or a string of at most {MAX_TOKEN} characters.")


def _check_prompt_arguments(arguments: Any) -> None:
    """A prompt's arguments are strings only (E61)."""
    if arguments is not None and not (
        isinstance(arguments, dict) and all(isinstance(value, str) for value in arguments.values())
    ):
        raise _refused("The arguments of a prompt are strings.")


def _refused(text: str) -> Refusal:
    return Refusal.invalid(text, code=INVALID_PARAMS)
