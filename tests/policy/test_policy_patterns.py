"""Which names a pattern fits."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolgate.policy.patterns import Glob, Names, split_pattern

texts = st.text("ab/:*", max_size=8)


@given(texts, st.text("ab/:", max_size=12))
def test_a_glob_fits_what_the_regular_expression_fits(pattern: str, text: str) -> None:
    expression = ".*".join(re.escape(part) for part in pattern.split("*"))
    assert Glob(pattern).fits(text) is (re.fullmatch(expression, text) is not None)


@given(st.lists(texts, max_size=8), st.text("ab/:", max_size=12))
def test_the_index_finds_what_asking_each_pattern_finds(patterns: list[str], text: str) -> None:
    names: Names[str] = Names()
    for pattern in patterns:
        names.place(pattern, pattern)
    assert sorted(names.find(text)) == sorted({pattern for pattern in patterns if Glob(pattern).fits(text)})


@given(texts, texts, st.text("ab/:", max_size=12))
def test_a_glob_that_fits_the_text_of_another_covers_it(wide: str, narrow: str, text: str) -> None:
    """Lint relies on it to find shadowed rules."""
    if Glob(wide).fits(narrow) and Glob(narrow).fits(text):
        assert Glob(wide).fits(text)


def test_many_stars_stay_linear() -> None:
    """A regular expression would need some 10^13 steps for this URI."""
    assert not Glob("*a" * 12 + "*b").fits("a" * 5_000)


@pytest.mark.parametrize(
    ("pattern", "parts"),
    [
        ("*", ("*", "*")),
        ("bank/read_*", ("bank", "read_*")),
        ("*/list_*", ("*", "list_*")),
        ("bank/accounts://*", ("bank", "accounts://*")),
    ],
)
def test_a_pattern_is_server_and_name(pattern: str, parts: tuple[str, str]) -> None:
    assert split_pattern(pattern) == parts


@pytest.mark.parametrize(
    ("pattern", "remedy"),
    [
        ("read", r"\*/read"),
        ("accounts://x", r"\*/accounts://x"),
        ("bank/", r"bank/\*"),
        ("/x", "server"),
        ("", "server"),
    ],
)
def test_a_pattern_without_server_or_name_is_refused_with_a_remedy(pattern: str, remedy: str) -> None:
    with pytest.raises(ValueError, match=remedy):
        split_pattern(pattern)
