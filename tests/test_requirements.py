"""Requirements and tests name each other: neither stands without the other."""

import ast
import re
from pathlib import Path

import requirements

TESTS = Path(__file__).parent
BY_NUMBER = {one.number: one for one in requirements.REQUIREMENTS}


def cited() -> dict[str, set[str]]:
    """Each test below this folder with the numbers that its docstring cites."""
    found = {}
    for file in sorted(TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                numbers = re.findall(r"\b(?:E\d\d|P\d\d?\.\d\d?)\b", ast.get_docstring(node) or "")
                found[f"{file.relative_to(TESTS)}::{node.name}"] = set(numbers)
    return found


CITED = cited()


def test_each_requirement_that_is_shown_names_a_test_that_cites_it() -> None:
    wrong = [
        f"{one.number}: {one.shown_by} does not cite it"
        for one in requirements.REQUIREMENTS
        if one.shown_by and one.number not in CITED.get(one.shown_by, ())
    ]
    assert wrong == []


def test_each_citation_is_of_a_requirement_that_is_shown() -> None:
    wrong = [
        f"{test} cites {number}: name a test in tests/requirements.py"
        for test, numbers in CITED.items()
        for number in sorted(numbers)
        if number not in BY_NUMBER or not BY_NUMBER[number].shown_by
    ]
    assert wrong == []


def test_every_edge_case_is_listed_once_and_what_is_missing_is_said() -> None:
    numbers = [one.number for one in requirements.REQUIREMENTS]
    assert [number for number in numbers if number[0] == "E"] == [f"E{n:02}" for n in range(1, 91)]
    assert len(numbers) == len(BY_NUMBER)
    assert [one.number for one in requirements.REQUIREMENTS if not one.shown_by and not one.lacking] == []
