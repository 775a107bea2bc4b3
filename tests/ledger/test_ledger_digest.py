import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolgate.errors import ConfigError
from toolgate.ledger.digest import Digest, load_key

scalars = st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8"))
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=8,
)


def reverse(value):
    if isinstance(value, dict):
        return {key: reverse(value[key]) for key in reversed(value)}
    return [reverse(item) for item in value] if isinstance(value, list) else value


def test_the_digest_is_an_hmac_over_sorted_json():
    expected = hmac.new(b"k", b'{"a":[1],"b":"x"}', hashlib.sha256).hexdigest()
    assert Digest(b"k").of({"b": "x", "a": [1]}) == f"hmac-sha256:{expected}"


@given(values)
def test_the_order_of_keys_does_not_count(value):
    assert Digest(b"k").of(value) == Digest(b"k").of(reverse(value))


def test_another_key_or_another_value_gives_another_digest():
    digests = {Digest(key).of(value) for key in (b"k", b"l") for value in ({}, {"a": 1}, {"a": "1"}, None)}
    assert len(digests) == 8


def test_what_is_no_json_is_refused():
    with pytest.raises(ValueError, match="no JSON"):
        Digest(b"k").of({"a": object()})


def test_the_key_is_made_once_and_kept_private(tmp_path):
    key = load_key(tmp_path)
    assert len(key) == 32
    assert load_key(tmp_path) == key
    assert (tmp_path / "digest.key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["digest.key"]


def test_two_ledgers_have_two_keys(tmp_path):
    keys = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        keys.append(load_key(tmp_path / name))
    assert keys[0] != keys[1]


@pytest.mark.parametrize("text", ["", "abc", "g" * 64, "a" * 63])
def test_a_damaged_key_is_not_replaced(tmp_path, text):
    (tmp_path / "digest.key").write_text(text)
    with pytest.raises(ConfigError, match="no key"):
        load_key(tmp_path)
    assert (tmp_path / "digest.key").read_text() == text


def test_a_folder_that_is_missing_is_a_config_error(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read or made"):
        load_key(tmp_path / "nowhere")
