import pytest

from toolgate.config.document import parse
from toolgate.config.references import References
from toolgate.config.stores.places import stores
from toolgate.config.stores.store import MAX_SECRET_BYTES


@pytest.fixture
def resolve(tmp_path):
    def resolve(value):
        document = parse(b"key: x", "f.yaml")
        with stores(document, {"key": value}, tmp_path) as places:
            references = References(document, places)
            resolved = references.resolve({"key": value})["key"]
        return resolved, [str(problem) for problem in references.problems]

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
        "Write ${env:NAME}, ${file:/path}, ${systemd:NAME}, ${vault:path#key} or ${keyring:service/user}, "
        "or $${ where the text itself has ${."
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


def test_systemd_passes_credentials_as_files_of_a_folder(resolve, tmp_path, monkeypatch):
    (tmp_path / "bank.token").write_text("from systemd\n")
    assert resolve("${systemd:bank.token}")[1] == [
        "f.yaml:1:1: key: systemd passes no credentials to this process. "
        "Write LoadCredential=bank.token:… in the unit."
    ]
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert resolve("${systemd:bank.token}") == ("from systemd", [])
    for name in ("../bank.token", "..", ""):
        assert resolve(f"${{systemd:{name}}}")[1] == [
            "f.yaml:1:1: key: '${systemd:' is not followed by the name of a credential."
        ]


def test_a_keyring_keeps_a_password_by_service_and_user(resolve):
    keyring = pytest.importorskip("keyring")

    class InMemory(keyring.backend.KeyringBackend):
        """A backend of the library's own kind: what it stands before is the operating system."""

        priority = 1

        def get_password(self, service, username):
            if service == "locked":
                raise keyring.errors.KeyringLocked
            return {("toolgate/bank", "gate"): "from the keyring"}.get((service, username))

        def set_password(self, service, username, password):
            raise NotImplementedError

    former = keyring.get_keyring()
    keyring.set_keyring(InMemory())
    try:
        assert resolve("${keyring:toolgate/bank/gate}") == ("from the keyring", [])
        faults = [resolve(f"${{keyring:{name}}}")[1][0] for name in ("other/gate", "locked/gate", "alone")]
    finally:
        keyring.set_keyring(former)
    assert [fault.removeprefix("f.yaml:1:1: key: ") for fault in faults] == [
        "the keyring has no password of 'gate' for 'other'.",
        "the keyring cannot be asked: KeyringLocked.",
        "'${keyring:' is not followed by service/user.",
    ]


def test_without_a_vault_nothing_is_read_from_one(resolve):
    (fault,) = resolve("${vault:bank#token}")[1]
    assert fault.startswith("f.yaml:1:1: key: there is no vault to read it from. Set one up with 'secrets: ")
