"""What a policy file may say."""

import pytest
from policy_support import source
from pydantic import ValidationError

HEAD = "version: 1\nrules:\n  - id: one\n    effect: allow\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (HEAD, "aims at nothing"),
        (HEAD + "    tools: []", "at least 1"),
        (HEAD + "    tools:", "valid tuple"),
        (HEAD + "    tools: ['*']\n    subjects: {}", "names nobody"),
        (HEAD + "    tools: ['*']\n    subjects: {roles: []}", "at least 1"),
        (HEAD + "    tools: ['*']\n    subjects: {roles: ['*']}", "takes no *"),
        (HEAD + "    tools: ['*']\n    tasks: ['close-*']", "takes no *"),
        (HEAD + "    tools: ['*']\n    subject: {roles: [a]}", "Extra inputs"),
        (HEAD + "    tools: ['*']\n    when: true", "valid string"),
        (HEAD.replace("allow", "permit") + "    tools: ['*']", "'allow', 'deny' or 'approve'"),
        ("version: 2", "Input should be 1"),
        ("version: 1\ndefault: approve", "'allow' or 'deny'"),
        ("version: 1\ntests: [{name: a, call: {args: {}}, expect: allow}]", "names one of"),
        ("version: 1\ntests: [{name: a, call: {tool: a/b, prompt: a/b}, expect: allow}]", "names one of"),
        ("version: 1\ntests: [{name: a, call: {tool: b}, expect: allow}]", "server/name"),
        (
            "version: 1\ntests: [{name: a, call: {tool: a/b}, at: '2026-01-01T10:00:00', expect: allow}]",
            "timezone",
        ),
    ],
)
def test_what_has_no_single_meaning_is_refused(text: str, says: str) -> None:
    with pytest.raises(ValidationError, match=says.replace("*", r"\*")):
        source(text)


def test_a_caller_is_written_under_as() -> None:
    written = source("version: 1\ntests: [{name: a, as: {user: ada}, call: {tool: a/b}, expect: allow}]")
    assert written.document.tests[0].caller.user == "ada"
