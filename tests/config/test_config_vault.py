"""Secrets from a vault: found by path and key, by each way to sign in, and a plain word where they are not."""

import pytest
from fake_vault import ROOT, FakeVault

from toolgate.config.load import load
from toolgate.errors import ConfigError

CONFIG = """
servers:
  bank: {{url: "http://bank.internal:9000/mcp", headers: {{X-Key: "{reference}"}}}}
identity: {{anonymous: loopback}}
secrets: {{vault: {{address: "{address}", {way}}}}}
"""


@pytest.fixture
def vault(monkeypatch):
    monkeypatch.setenv("VAULT_TOKEN", ROOT)
    vault = FakeVault()
    yield vault
    vault.close()


@pytest.fixture
def read(vault, write):
    def read(reference="${vault:bank/api#token}", way='token: "${env:VAULT_TOKEN}"', address=None):
        text = CONFIG.format(reference=reference, way=way, address=address or vault.address)
        return load(write(text))

    return read


def key_of(loaded):
    return loaded.value.servers["bank"].headers["X-Key"].get_secret_value()


def said(read, **changes):
    with pytest.raises(ConfigError) as caught:
        read(**changes)
    text = "\n".join(str(problem) for problem in caught.value.problems)
    assert "planted" not in text
    return text


def test_a_path_is_asked_for_once_and_the_token_prolonged(read, vault):
    loaded = read("${vault:bank/api#token}-${vault:bank/api#token}")
    assert key_of(loaded) == "planted-bank-token-planted-bank-token"
    assert vault.asked == ["GET /v1/secret/data/bank/api", "POST /v1/auth/token/renew-self"]


@pytest.mark.parametrize(
    "way",
    [
        "approle: {role_id: r-1, secret_id: planted-secret-id}",
        "kubernetes: {role: toolgate, token_file: pod.token}",
    ],
)
def test_a_login_of_our_own_is_given_back(read, vault, tmp_path, way):
    (tmp_path / "pod.token").write_text("planted-pod-token\n")
    assert key_of(read(way=way)) == "planted-bank-token"
    assert vault.asked[-1] == "POST /v1/auth/token/revoke-self"
    assert vault.tokens == {ROOT}


def test_a_config_that_refers_to_no_secret_of_it_asks_nothing(read, vault):
    assert read("plain").silent is None
    assert vault.asked == []


def test_a_change_in_the_vault_shows(read, vault):
    before = read().silent
    assert before is not None
    assert read().silent == before
    vault.data["bank/api"]["token"] = "planted-second"
    assert read().silent != before


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"reference": "${vault:bank/api}"}, "'${vault:' is not followed by path#key."),
        ({"reference": "${vault:../sys/x#a}"}, "'${vault:' is not followed by path#key."),
        ({"reference": "${vault:bank/api#tokn}"}, "of the vault has no text under 'tokn'."),
        ({"reference": "${vault:bank/api#number}"}, "of the vault has no text under 'number'."),
        ({"reference": "${vault:bank/none#token}"}, "the vault has no secret 'bank/none'."),
        ({"way": "token: planted-wrong"}, "the vault does not let the gateway read 'bank/api'."),
        (
            {"way": "approle: {role_id: r-1, secret_id: planted-wrong}"},
            "answered 400 to the gateway's login.",
        ),
        ({"address": "http://127.0.0.1:1"}, "the vault cannot be reached: ConnectionRefusedError."),
        ({"address": "http://vault.example"}, "secrets would travel readable over plain http."),
        ({"way": ""}, "a vault has one of 'token', 'approle' and 'kubernetes'."),
        ({"way": "token: a, approle: {role_id: a, secret_id: b}"}, "a vault has one of 'token', 'approle'"),
        ({"way": 'token: "planted\\nx"'}, "secrets.vault.token: a header's value is visible ASCII"),
    ],
)
def test_a_secret_that_cannot_be_had_is_a_fault_of_the_config(read, changes, text):
    assert text in said(read, **changes)


def test_a_sealed_vault_is_told_from_a_missing_secret(read, vault):
    vault.sealed = True
    assert "the vault answered 503 for 'bank/api'." in said(read)
