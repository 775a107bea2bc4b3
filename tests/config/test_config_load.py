import json
import os
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from toolgate.config.load import MAX_FILE_BYTES, load, policy_files, read
from toolgate.config.schema import GatewayConfig, json_schema
from toolgate.errors import ConfigError

MINIMAL = """
servers: {bank: {url: "http://bank.internal:9000/mcp"}}
identity: {anonymous: loopback}
"""


def said(path):
    with pytest.raises(ConfigError) as caught:
        load(path)
    return [str(problem) for problem in caught.value.problems]


def test_a_loaded_file_gives_its_bytes_and_the_places_of_its_keys(write, tmp_path):
    loaded = load(write(MINIMAL))
    assert loaded.text == MINIMAL.encode()
    assert loaded.folder == tmp_path
    assert loaded.files == (tmp_path / "gateway.yaml",)
    assert loaded.locate(("servers", "bank", "url")) == ("gateway.yaml", 2, 18)
    assert loaded.locate(("servers", "bank", "timeout")) == ("gateway.yaml", 2, 11)
    assert (
        str(loaded.problem(("servers", "bank"), "no.", "Try.")) == "gateway.yaml:2:11: servers.bank: no. Try."
    )


@pytest.mark.parametrize("name", ["absent.yaml", "absent/gateway.yaml"])
def test_a_file_that_is_not_there_is_one_problem(write, name):
    write(MINIMAL)
    assert said(name) == [f"{name}: cannot be read: No such file or directory."]


def test_a_path_that_is_none_is_one_problem(tmp_path):
    assert said(str(tmp_path)) == [f"{tmp_path}: cannot be read: Is a directory."]
    assert said("a\0b") == ["a\0b: cannot be read: not a path."]


def test_a_file_larger_than_any_config_is_not_read(write):
    assert said(write(b"#" * (MAX_FILE_BYTES + 1))) == [f"gateway.yaml: larger than {MAX_FILE_BYTES} bytes."]


def test_relative_paths_are_seen_from_the_files_folder(write, tmp_path):
    write("{}", "conf/jwks.json")
    write("rules: []", "conf/policies/a.yaml")
    text = """
servers: {a: {command: ./server}, b: {command: python}}
identity: {issuers: [{issuer: "https://i", audience: a, jwks: jwks.json}]}
policies: [./policies/*.yaml]
ledger: {path: ../ledger}
"""
    loaded = load(write(text, "conf/gateway.yaml"))
    folder = tmp_path / "conf"
    assert loaded.value.ledger.path == folder / "../ledger"
    assert loaded.value.identity.issuers[0].jwks == str(folder / "jwks.json")
    assert loaded.value.servers["a"].command == str(folder / "server")
    assert loaded.value.servers["b"].cwd == folder
    assert policy_files(loaded) == (folder / "policies/a.yaml",)


def test_policy_files_are_sorted_within_a_pattern_and_counted_once(write, tmp_path):
    for name in ("b", "a", "c"):
        write("rules: []", f"p/{name}.yaml")
    loaded = load(write(f"{MINIMAL}\npolicies: [p/c.yaml, p/*.yaml]"))
    assert [file.name for file in policy_files(loaded)] == ["c.yaml", "a.yaml", "b.yaml"]


def test_a_pattern_that_matches_no_file_is_an_error_with_its_place(write):
    assert said(write(f"{MINIMAL}\npolicies:\n  - p/*.yaml\n  - '*/a.yaml'\n")) == [
        "gateway.yaml:6:5: policies[0]: no file matches.",
        "gateway.yaml:7:5: policies[1]: wildcards are for the file's name only, not for folders; name each folder.",
    ]


def test_policy_files_that_went_since_are_an_error_too(write, tmp_path):
    write("rules: []", "p/a.yaml")
    loaded = load(write(f"{MINIMAL}\npolicies: [p/*.yaml]"))
    (tmp_path / "p/a.yaml").unlink()
    with pytest.raises(ConfigError, match=r"gateway\.yaml:5:12: policies\[0\]: no file matches\."):
        policy_files(loaded)


def test_a_missing_secret_is_told_once_and_with_all_other_faults(write):
    text = """
servers:
  bank:
    url: "${env:TOOLGATE_NOT_SET}"
    timeot: 5s
identity: {anonymous: loopback}
"""
    assert said(write(text)) == [
        "gateway.yaml:4:5: servers.bank.url: the environment variable TOOLGATE_NOT_SET is not set.",
        "gateway.yaml:5:5: servers.bank.timeot: unknown key. Did you mean 'timeout'?",
    ]


def test_secret_files_are_among_the_files_of_a_config(write, tmp_path):
    write("token\n", "secrets/token")
    loaded = load(
        write(
            'servers: {a: {command: x, env: {T: "${file:secrets/token}"}}}\nidentity: {anonymous: loopback}'
        )
    )
    assert loaded.value.servers["a"].env["T"].get_secret_value() == "token"
    assert loaded.files == (tmp_path / "gateway.yaml", tmp_path / "secrets/token")


def keys_of_text(schema, part, path):
    """Every place in the config where text may stand, as a path; `x` stands for a name, 0 for an item."""
    part = schema["$defs"][part["$ref"].rpartition("/")[2]] if "$ref" in part else part
    for choice in [*part.get("anyOf", []), *part.get("oneOf", [])]:
        yield from keys_of_text(schema, choice, path)
    for key, below in part.get("properties", {}).items():
        yield from keys_of_text(schema, below, (*path, key))
    if isinstance(part.get("additionalProperties"), dict):
        yield from keys_of_text(schema, part["additionalProperties"], (*path, "x"))
    if "items" in part:
        yield from keys_of_text(schema, part["items"], (*path, 0))
    if part.get("type") in ("string", "boolean", "integer", "number"):
        yield path


def nested(path, value):
    for step in reversed(path):
        value = [value] if isinstance(step, int) else {step: value}
    return value


SCHEMA = json_schema()
PLACES = sorted(set(keys_of_text(SCHEMA, SCHEMA, ())), key=str)


@pytest.mark.parametrize("path", PLACES, ids=lambda path: ".".join(map(str, path)))
@pytest.mark.parametrize("secret", ["hunter2", "http://a.b/?hunter2", "x\nhunter2", "*hunter2", "hunter2:80"])
def test_no_fault_repeats_a_value_since_any_value_may_be_a_secret(write, monkeypatch, path, secret):
    monkeypatch.setenv("SECRET", secret)
    with pytest.raises(ConfigError) as caught:
        load(write(json.dumps(nested(path, "${env:SECRET}"))))
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_model_does_not_show_where_secrets_are_kept(write, monkeypatch):
    monkeypatch.setenv("SECRET", "hunter2")
    monkeypatch.setenv("KEY", "687560746572322d" * 4)
    loaded = load(
        write("""
servers:
  a: {url: "http://a/?key=${env:SECRET}", headers: {Authorization: "Bearer ${env:SECRET}"}}
  b: {command: "${env:SECRET}", args: ["--token=${env:SECRET}"], env: {T: "${env:SECRET}"}}
identity: {issuers: [{issuer: "https://i", audience: a, jwks: "https://i/?${env:SECRET}"}]}
sessions: {keys: ["${env:KEY}"]}
environment: {token: "${env:SECRET}"}
""")
    )
    for shown in (repr(loaded), str(loaded.value)):
        assert "hunter2" not in shown
        assert "hu`ter2" not in shown
        assert "687560" not in shown
    assert "hunter2" in loaded.value.servers["a"].url


class Other(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int
    rules: tuple[dict[str, int | list[str]], ...] = ()


def test_any_model_can_be_read_with_the_same_care(write):
    loaded = read(write("version: 1\nrules: [{a: 1, b: [x]}]", "p.yaml"), Other)
    assert loaded.value == Other(version=1, rules=({"a": 1, "b": ["x"]},))
    assert loaded.locate(("rules", 0, "b", 0)) == ("p.yaml", 2, 20)


def test_the_faults_of_any_model_carry_no_steps_that_the_file_has_not(write):
    with pytest.raises(ConfigError) as caught:
        read(write("rulez: []\nrules:\n  - a: {}\n", "p.yaml"), Other)
    assert str(caught.value).splitlines() == [
        "p.yaml:1:1: version: required key is missing.",
        "p.yaml:1:1: rulez: unknown key. Did you mean 'rules'?",
        "p.yaml:3:5: rules[0].a: expected a whole number, got a mapping.",
        "p.yaml:3:5: rules[0].a: expected a list, got a mapping.",
    ]


def test_an_empty_file_is_a_file_without_keys(write):
    with pytest.raises(ConfigError, match=r"^p\.yaml:1:1: version: required key is missing\.$"):
        read(write("# nothing yet\n", "p.yaml"), Other)


KEYS = sorted({str(step) for path in PLACES for step in path} | {"mcpServers", "<http>", "[key]", ""})
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.sampled_from(
        ["5s", "4MiB", "http://a/", "127.0.0.1:80", "loopback", "sse", "stdio", "${env:X}", "${", "a\0b"]
    )
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
)
QUIET = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def loads_or_tells(path):
    """Anything but these two flies out of here and fails the test."""
    with suppress(ConfigError):
        assert isinstance(load(path).value, GatewayConfig)


@QUIET
@given(st.binary(max_size=200))
def test_any_bytes_are_a_config_or_a_config_error(write, content):
    loads_or_tells(write(content))


@QUIET
@given(st.dictionaries(st.sampled_from(KEYS), TREES, max_size=6))
def test_any_tree_of_our_keys_is_a_config_or_a_config_error(write, tree):
    loads_or_tells(write(json.dumps(tree)))


@QUIET
@given(st.sampled_from(PLACES), TREES)
def test_any_value_at_any_key_is_a_config_or_a_config_error(write, path, value):
    start = {"servers": {"bank": {"url": "http://a/"}}, "identity": {"anonymous": "loopback"}}
    loads_or_tells(write(json.dumps({**start, **nested(path, value)})))


def test_loading_leaves_the_current_folder_and_environment_alone(write):
    before = os.getcwd(), dict(os.environ)
    load(write(MINIMAL))
    assert (os.getcwd(), dict(os.environ)) == before
