"""What a condition is found to read."""

import pytest

from toolgate.policy.cel import Language
from toolgate.policy.syntax import read_paths


@pytest.fixture(scope="module")
def language() -> Language:
    return Language()


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ('args.region == "eu" && now.hour >= 8', {("args", "region"), ("now.hour",)}),
        ('args["a-b"].c == 1', {("args", "a-b", "c")}),
        ("args.?limit.orValue(1) > 1", {("args", "limit")}),
        ('args[?"limit"].orValue(1) > 1', {("args", "limit")}),
        (".args.a == 1", {("args", "a")}),
        ("has(args.a.b)", {("args", "a", "b")}),
        ("args[args.key] == 1", {("args",), ("args", "key")}),
        ("size(args) > 1", {("args",)}),
        ('"args.b" == args.a // args.c', {("args", "a")}),
        ("args.a.exists(x, x.b == claims.c)", {("args", "a"), ("claims", "c")}),
        ("{args.a: args.b}.size() == [args.c].size()", {("args", "a"), ("args", "b"), ("args", "c")}),
        ("(args.a ? args.b : args.c) == args.d", {("args", key) for key in "abcd"}),
        ("args.a.contains(string(args.b))", {("args", "a"), ("args", "b")}),
        ("true", set()),
    ],
)
def test_every_name_is_found_with_its_keys(
    language: Language, text: str, paths: set[tuple[str, ...]]
) -> None:
    ours = {
        path for path in language.compile(text).paths if path[0].split(".")[0] in ("args", "claims", "now")
    }
    assert ours == paths


@pytest.mark.parametrize("junk", [b"", b"\x0a", b"\x12\x05abc", b"\xff\xff", b"\x12\x02\x22\x00", b"\x0b"])
def test_bytes_that_are_no_expression_are_refused(junk: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        list(read_paths(junk))
