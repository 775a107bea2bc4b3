import pytest

from toolgate.config.document import parse
from toolgate.config.references import MAX_SECRET_BYTES, References


@pytest.fixture
def resolve(tmp_path):
    def resolve(value):
        references = References(parse(b"key: x", "f.yaml"), tmp_path)
        return references.resolve({"key": value})["key"], [str(problem) for problem in references.problems]

    return resolve


def test_a_reference_is_replaced_wherever_text_stands(resolve, tmp_path, monkeypatch):
    monkeypatch.setenv("CRM_TOKEN", "hunter2")
    (tmp_path / "secret").write_text("from a file\n")
    value = {"a": ["Bearer ${env:CRM_TOKEN}"], "b": {"c": "${env:CRM_TOKEN}${file:secret}"}, "d": 5}
    assert resolve(value) == (
        {"a": ["Bearer hunter2"], "b": {"c": "hunter2from a file"}, "d": 5},
        [],
    )


def test_a_file_is_named_by_its_whole_path_or_from_the_configs_folder(resolve, tmp_path):
    (tmp_path / "s").write_bytes(b"two\nlines\r\n")
    assert resolve("${file:./s}")[0] == "two\nlines"
    assert resolve(f"${{file:{tmp_path}/s}}")[0] == "two\nlines"


def test_what_a_secret_says_is_not_read_again(resolve, monkeypatch):
    monkeypatch.setenv("OUTER", "${env:INNER}")
    monkeypatch.setenv("INNER", "no")
    assert resolve("${env:OUTER}") == ("${env:INNER}", [])


def test_text_may_say_a_dollar_and_a_brace(resolve):
    assert resolve("$${env:HOME} costs 5$ or {5}") == ("${env:HOME} costs 5$ or {5}", [])


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("${env:TOOLGATE_NOT_SET}", "the environment variable TOOLGATE_NOT_SET is not set."),
        ("${env:TOOLGATE_EMPTY}", "the environment variable TOOLGATE_EMPTY is empty."),
        ("${env:}", "'${env:' is not followed by the name of a variable."),
        ("${env:A B}", "'${env:' is not followed by the name of a variable."),
        ("${file:}", "'${file:' is not followed by a path."),
        ("${file:a\0}", "'${file:' is not followed by a path."),
    ],
)
def test_a_secret_that_is_not_there_is_an_error(resolve, monkeypatch, written, message):
    monkeypatch.setenv("TOOLGATE_EMPTY", "")
    assert resolve(written)[1] == [f"f.yaml:1:1: key: {message}"]


@pytest.mark.parametrize(
    "written", ["${HOME}", "${env.HOME}", "${secret:x}", "${", "${env:A", "${}", "a ${ b"]
)
def test_a_reference_of_another_kind_is_an_error_and_not_text(resolve, written):
    assert resolve(written)[1] == [
        "f.yaml:1:1: key: '${' begins a reference that is not understood. "
        "Write ${env:NAME} or ${file:/path}, or $${ where the text itself has ${."
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read '{file}': No such file or directory."),
        (b"", "'{file}' is empty."),
        (b"\n", "'{file}' is empty."),
        (b"\xff", "'{file}' is not UTF-8 text."),
        (b"x" * (MAX_SECRET_BYTES + 1), f"'{{file}}' is larger than {MAX_SECRET_BYTES} bytes."),
    ],
)
def test_a_secret_file_that_cannot_be_used_is_an_error(resolve, tmp_path, content, message):
    file = tmp_path / "s"
    if content is not None:
        file.write_bytes(content)
    assert resolve("${file:s}")[1] == [f"f.yaml:1:1: key: {message.format(file=file)}"]


def test_a_folder_is_no_secret(resolve, tmp_path):
    assert resolve("${file:.}")[1] == [f"f.yaml:1:1: key: cannot read '{tmp_path}': Is a directory."]
