"""The language-neutral cases of `tests/policies`, in the format users write."""

from pathlib import Path as File

import pytest
from policy_support import source

from toolgate.policy.cases import run_cases
from toolgate.policy.compilation import compile_policies
from toolgate.policy.lint import lint

FILES = sorted((File(__file__).parent.parent / "policies").glob("*.yaml"))
SOURCES = {file.stem: source(file.read_text(), file.name) for file in FILES}
CASES = [
    (name, at, case.name)
    for name, written in SOURCES.items()
    for at, case in enumerate(written.document.tests)
]


@pytest.mark.parametrize(("name", "at"), [case[:2] for case in CASES], ids=[f"{c[0]}: {c[2]}" for c in CASES])
def test_the_case_holds(name: str, at: int) -> None:
    policy = compile_policies([SOURCES[name]], environment={"stage": "staging"})
    result = run_cases(policy, [SOURCES[name]])[at]
    assert result.passed, result


@pytest.mark.parametrize("name", SOURCES)
def test_no_rule_of_the_cases_is_idle(name: str) -> None:
    assert lint(compile_policies([SOURCES[name]], environment={"stage": "staging"})) == []


def test_the_files_can_be_loaded_together_but_for_the_imported_list() -> None:
    together = [written for name, written in SOURCES.items() if name != "first-match"]
    assert len(compile_policies(together).rules) == sum(len(written.document.rules) for written in together)
