"""Texts in the client's language."""

import pytest

from toolgate.protocol.languages import choose

OFFERED = {"de": "deutsch", "pt-BR": "brasileiro", "en": "english"}


@pytest.mark.parametrize(
    ("accept", "text"),
    [
        ("de", "deutsch"),
        ("de-AT, en;q=0.5", "deutsch"),
        ("fr, en;q=0.8, de;q=0.9", "deutsch"),
        ("pt", "brasileiro"),
        ("PT-br", "brasileiro"),
        ("fr, *", None),
        ("de;q=0", None),
        ("de;q=x", None),
        ("", None),
        (None, None),
        ("," * 10_000, None),
    ],
)
def test_the_text_the_client_reads_best_is_chosen(accept: str | None, text: str | None) -> None:
    """AZ-23"""
    assert choose(accept, OFFERED) == text
