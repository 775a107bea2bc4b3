"""What a failed HTTP exchange with a server means to the caller. No I/O."""

from toolgate.errors import Refusal
from toolgate.ports import HttpError


def refusal_of(error: HttpError) -> Refusal:
    """The refusal for an exchange that broke."""
    if error.kind == "timeout":
        return Refusal.timeout(str(error))
    if error.sent and error.kind != "connect":
        return Refusal.upstream(f"upstream_{error.kind}", str(error))
    return Refusal.unavailable(str(error))


def refusal_of_status(status: int) -> Refusal:
    """The refusal for an answer that carries no message."""
    if status in (401, 403):
        return Refusal.upstream("upstream_auth", f"the server refused our credential with HTTP {status}")
    if status >= 500:
        return Refusal.unavailable(f"the server answered HTTP {status}")
    return Refusal.upstream("upstream_invalid", f"the server answered HTTP {status} without a message")
