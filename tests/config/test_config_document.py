import subprocess
import sys
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolgate.config.document import MAX_DEPTH, parse, spell
from toolgate.errors import ConfigError

SURPRISES = [
    "yes",
    "no",
    "on",
    "off",
    "y",
    "n",
    "True",
    "FALSE",
    "Null",
    "22:30",
    "1:30:00",
    "017",
    "0o17",
    "0x1F",
]
SURPRISES += [
    "0b1",
    "1_000",
    ".inf",
    "-.inf",
    ".nan",
    "1e999",
    ".5",
    "1.",
    "=",
    "2026-01-01",
    "2026-01-01T10:00:00Z",
]
SURPRISES += ["1234567890123456789", "8.8.8.8"]


def data(text):
    return parse(text.encode(), "f.yaml").data


def said(text):
    with pytest.raises(ConfigError) as caught:
        parse(text if isinstance(text, bytes) else text.encode(), "f.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("12", 12),
        ("-7", -7),
        ("+7", 7),
        ("0", 0),
        ("1.50", 1.5),
        ("1e3", 1000.0),
        ("-2.5e-3", -0.0025),
        ('"12"', "12"),
        ("'true'", "true"),
        ("!!str 12", "12"),
    ],
)
def test_plain_values_mean_what_json_would_say(written, meant):
    found = data(f"key: {written}")["key"]
    assert found == meant
    assert type(found) is type(meant)


@pytest.mark.parametrize(
    "written",
    SURPRISES,
)
def test_the_surprises_of_yaml_1_1_stay_text(written):
    assert data(f"key: {written}")["key"] == written


def test_a_quoted_key_is_only_text():
    assert data('"<<": 1') == {"<<": 1}


def test_keys_are_always_text():
    assert data("1: a\ntrue: b\nnull: c\non: d\n2026-01-01: e\n") == {
        "1": "a",
        "true": "b",
        "null": "c",
        "on": "d",
        "2026-01-01": "e",
    }


def test_every_duplicate_key_is_found_with_its_place():
    assert said("a: 1\nb: {c: 1, c: 2}\na: 3\nd: [{e: 1, e: 1}]\n").splitlines() == [
        "f.yaml:2:11: b.c: the key stands twice, first in line 2.",
        "f.yaml:3:1: a: the key stands twice, first in line 1.",
        "f.yaml:4:12: d[0].e: the key stands twice, first in line 4.",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "a: [${env:X}]",
            "f.yaml:1:6: not YAML: while parsing a flow sequence did not find expected ',' or ']'. "
            'Put ${...} in quotes: "${env:NAME}".',
        ),
        ("a: [1", "f.yaml:2:1: not YAML: while parsing a flow sequence did not find expected ',' or ']'."),
        (
            "a:\n\t- b",
            "f.yaml:2:1: not YAML: while scanning for the next token found character that cannot start any token. "
            "Indent with spaces, not tabs.",
        ),
        (
            "a: *hunter2",
            "f.yaml:1:4: not YAML: an alias, anchor or tag is unknown. "
            "Put text that starts with *, & or ! in quotes.",
        ),
        (
            "a: !!python/object/apply:os.system [id]",
            "f.yaml:1:4: a: tags are not read here. Leave out what starts with '!', or put it in quotes.",
        ),
        (
            "a: !hunter2 x",
            "f.yaml:1:4: a: tags are not read here. Leave out what starts with '!', or put it in quotes.",
        ),
        (
            "a: !!int x",
            "f.yaml:1:4: a: tags are not read here. Leave out what starts with '!', or put it in quotes.",
        ),
        ("<<: {a: 1}", "f.yaml:1:1: merge keys ('<<') are not read here. Write the keys out."),
        ("? [a]\n: 1", "f.yaml:1:3: a key must be text. Put values that start with { or [ in quotes."),
        (
            "a: 1\n---\nb: 1",
            "f.yaml:2:1: not YAML: expected a single document in the stream but found another document.",
        ),
        ("a: b\nc: \x01", "f.yaml:2: YAML allows no control characters."),
        (b"a: b\nc: \xff", "f.yaml:2: the file is not UTF-8 text."),
    ],
)
def test_a_file_that_is_not_plain_yaml_is_refused_with_the_place(text, message):
    assert said(text) == message


def test_aliases_repeat_a_value():
    assert data("a: &x {b: [1]}\nc: *x\n") == {"a": {"b": [1]}, "c": {"b": [1]}}


def test_a_dozen_aliases_cannot_stand_for_billions_of_values():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 8)}]" for n in range(1, 12)]
    assert said("\n".join(lines)).endswith("aliases repeat more than 10000 values.")


@pytest.mark.parametrize("text", ["&a [*a, *a]", "&a {b: *a}", "[" * 500 + "]" * 500])
def test_what_is_nested_without_end_is_refused(text):
    assert said(text).endswith(f"nested deeper than {MAX_DEPTH} levels.")


def test_depth_beyond_the_parser_is_refused_like_any_syntax_error():
    assert said("[" * 100_000) == (
        "f.yaml:1:1001: not YAML: while increasing flow level exceeded maximum nesting depth."
    )


def test_every_key_and_item_knows_its_line_and_column():
    document = parse(b"a:\n  - x\n  - {b: 1, c: {d: 2}}\n\xc3\xa9: 'y'\n", "f.yaml")
    assert document.locate(("a",)) == (1, 1)
    assert document.locate(("a", 0)) == (2, 5)
    assert document.locate(("a", 1, "c", "d")) == (3, 16)
    assert document.locate(("é",)) == (4, 1)


def test_what_is_not_in_the_file_is_located_at_its_nearest_ancestor():
    document = parse(b"\na:\n  b: 1\n", "f.yaml")
    assert document.locate(("a", "z", 3, "y")) == (2, 1)
    assert document.locate(("a", "b", "c")) == (3, 3)
    assert document.locate(("a", 0)) == (2, 1)
    assert document.locate(("z",)) == (2, 1)
    assert parse(b"", "f.yaml").locate(("z",)) == (1, 1)


def test_a_byte_order_mark_is_not_part_of_the_first_key():
    assert parse(b"\xef\xbb\xbfa: 1", "f.yaml").data == {"a": 1}


def test_a_key_that_is_no_plain_name_is_shown_short_and_escaped():
    assert spell(("a", 0, "b-c", "x y\x1b[31m", "k" * 200)) == "a[0].b-c.'x y\\x1b[31m'.'" + "k" * 40 + "'"


@given(
    st.binary(max_size=300)
    | st.text(alphabet="ab:- \n\t[]{}&*!<'\"\\|>#%@`,?$~1.\x00\x7f\ufeffé", max_size=60)
)
def test_any_bytes_are_data_or_a_config_error(text):
    with suppress(ConfigError):
        document = parse(text if isinstance(text, bytes) else text.encode(), "f.yaml")
        assert isinstance(document.data, dict | list | str | int | float | bool | None)


WITHOUT_LIBYAML = """
import yaml
del yaml.CSafeLoader
from toolgate.config.document import parse, Loader
from toolgate.errors import ConfigError
assert issubclass(Loader, yaml.SafeLoader)
assert parse(b"a: [yes, 1, 017, 1.5, true, 2026-01-01, ~]", "f").data == {
    "a": ["yes", 1, "017", 1.5, True, "2026-01-01", None]
}
assert parse(b"a:\\n  b: 1", "f").locate(("a", "b")) == (2, 3)
for text in (b"a: 1\\na: 2", b"[" * 100000, b'"\\\\UFFFFFFFF"', b"a: *hunter2", b"a: !hunter2!x y", b"a: \\x01"):
    try:
        parse(text, "f")
    except ConfigError as error:
        assert "hunter2" not in str(error), error
    else:
        raise AssertionError(text)
"""


def test_a_pyyaml_without_libyaml_reads_the_same():
    subprocess.run([sys.executable, "-c", WITHOUT_LIBYAML], check=True, timeout=5)
