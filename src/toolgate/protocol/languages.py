"""Which of several texts a client reads best, by its `Accept-Language` (RFC 9110, section 12.5.4). No I/O."""

from collections.abc import Mapping

MAX_RANGES = 16
"""Languages that are looked at: nobody has more."""


def choose(accept: str | None, offered: Mapping[str, str]) -> str | None:
    """The text whose language the client prefers, or None where it names none that is offered.

    `de-AT` is served by `de`, and `de` by `de-AT`. A malformed weight counts as none.
    """
    if accept is None or not offered:
        return None
    by_tag = {tag.lower(): text for tag, text in offered.items()}
    for wanted in _ranges(accept):
        found = by_tag.get(wanted) or by_tag.get(wanted.partition("-")[0])
        nearest = (text for tag, text in sorted(by_tag.items()) if tag.startswith(f"{wanted}-"))
        found = found or next(nearest, None)
        if found is not None:
            return found
    return None


def _ranges(accept: str) -> list[str]:
    weighted: list[tuple[float, int, str]] = []
    for at, part in enumerate(accept.split(",")[:MAX_RANGES]):
        tag, _, weight = part.strip().lower().partition(";")
        try:
            quality = float(weight.strip().removeprefix("q=")) if weight else 1.0
        except ValueError:
            continue
        if 0 < quality <= 1 and tag.strip() not in ("", "*"):
            weighted.append((-quality, at, tag.strip()))
    return [tag for _, _, tag in sorted(weighted)]
