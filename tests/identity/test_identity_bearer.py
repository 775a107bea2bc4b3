import pytest

from toolgate.identity.bearer import token_of


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_is_read_without_regard_to_case(scheme):
    """RFC 9110 section 11.1."""
    assert token_of(f"{scheme} abc.DEF-_~+/==") == "abc.DEF-_~+/=="


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer  two-spaces",
        "Bearer a b",
        "Basic abc",
        "Bearer a\x00",
        "Bearer é",
    ],
)
def test_anything_but_a_well_formed_bearer_header_has_no_token(header):
    assert token_of(header) is None


def test_a_trailing_line_break_does_not_hide_in_a_token():
    assert token_of("Bearer abc\n") is None
