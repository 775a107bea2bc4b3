"""The strings in `wiring.py`, which no linter sees."""

import pytest

from toolgate import wiring

PLACES = sorted(place for name, kind in vars(wiring).items() if name.isupper() for place in kind.values())


@pytest.mark.parametrize("place", PLACES)
def test_every_extension_is_where_the_list_says(place: str) -> None:
    assert callable(wiring.load(place))
