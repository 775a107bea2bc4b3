"""One POST of a batch to a receiver over HTTP, and what its answer means for the batch."""

from collections.abc import Iterable

from toolgate.ports import Http, HttpError, Undelivered

_REFUSED = frozenset({400, 413, 422})
"""The receiver read the batch and will not have it. Everything else may be better next time, also 401 and 404:
those are mistakes in a config, which must not cost a record."""
_ANSWER_BYTES = 64 * 1024
_SECONDS = 20.0


async def post(http: Http, url: str, headers: Iterable[tuple[str, str]], body: bytes) -> bytes:
    """The answer's body. Raises `Undelivered` for all but a 2xx."""
    encoded = tuple((name.lower().encode(), value.encode()) for name, value in headers)
    try:
        answer = await http.request("POST", url, encoded, body, timeout=_SECONDS)
        try:
            text = await answer.read(_ANSWER_BYTES)
        finally:
            answer.close()
    except HttpError as problem:
        raise Undelivered(f"the receiver cannot be reached: {problem}") from problem
    if not 200 <= answer.status < 300:
        raise Undelivered(f"the receiver answers {answer.status}", refused=answer.status in _REFUSED)
    return text
