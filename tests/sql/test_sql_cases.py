"""The statements of this folder: no write is let through as a read, and what is refused wrongly is listed."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from toolgate.policy.sql.reading import read
from toolgate.policy.sql.skeleton import Unclear

FILES = [yaml.safe_load(file.read_text()) for file in sorted(Path(__file__).parent.glob("*.yaml"))]


def statements(kind: str) -> list[Any]:
    return [
        pytest.param(file["dialect"], text, id=f"{file['dialect']}-{at}")
        for file in FILES
        for at, text in enumerate(file[kind])
    ]


def facts(text: str, dialect: str) -> dict[str, Any]:
    try:
        return read(text, dialect)
    except Unclear:
        return {}


@pytest.mark.parametrize(("dialect", "text"), statements("reads"))
def test_a_read_is_known_as_one(dialect: str, text: str) -> None:
    """GR-07"""
    found = read(text, dialect)
    assert (found["reads_only"], found["verb"]) == (True, "select")


@pytest.mark.parametrize(("dialect", "text"), statements("writes"))
def test_a_write_is_never_taken_for_a_read(dialect: str, text: str) -> None:
    """AZ-07, GR-07"""
    found = facts(text, dialect)
    assert not found.get("reads_only")
    assert found.get("verb") != "select"


@pytest.mark.parametrize(("dialect", "text"), statements("refused"))
def test_the_reads_that_are_refused_are_these(dialect: str, text: str) -> None:
    """Whoever teaches the reader one of them moves it to `reads`."""
    assert not facts(text, dialect).get("reads_only")


def test_there_are_enough_of_them_and_half_are_evasions() -> None:
    count = {kind: sum(len(file[kind]) for file in FILES) for kind in ("reads", "writes", "refused")}
    assert sum(count.values()) >= 400
    assert count["writes"] >= sum(count.values()) / 2


@pytest.mark.parametrize(
    ("dialect", "text", "expected"),
    [
        ("postgres", "SELECT a FROM Public.Orders", {"tables": ["public.orders"], "schemas": ["public"]}),
        ("postgres", 'SELECT a FROM "Orders"', {"tables": ["Orders"], "schemas": [""]}),
        ("tsql", "SELECT a FROM Shop.DBO.[Orders]", {"tables": ["shop.dbo.orders"], "schemas": ["shop.dbo"]}),
        ("bigquery", "SELECT a FROM `p.d.t`", {"tables": ["p.d.t"]}),
        ("postgres", "WITH s AS (SELECT * FROM s) SELECT a FROM s", {"tables": ["s"]}),
        ("postgres", "WITH s AS (SELECT 1), t AS (SELECT * FROM s) SELECT a FROM t", {"tables": []}),
        ("postgres", "WITH t AS (SELECT * FROM s), s AS (SELECT 1) SELECT a FROM t", {"tables": ["s"]}),
        ("postgres", "SELECT * FROM (WITH s AS (SELECT 1) SELECT * FROM s) x, s", {"tables": ["s"]}),
        ("postgres", "SELECT a, t.b FROM t JOIN u USING (c)", {"columns": ["a", "b", "c"]}),
        ("postgres", "SELECT count(*) FROM t", {"columns": []}),
        ("postgres", "SELECT t.* FROM t", {"columns": ["*"]}),
        ("postgres", "SELECT a FROM t NATURAL JOIN u", {"columns": ["*", "a"]}),
        ("postgres", "UPDATE t SET a = 1 WHERE b = 2", {"verb": "update", "has_where": True, "columns": ["a", "b"]}),
        ("postgres", "DELETE FROM t", {"verb": "delete", "has_where": False, "tables": ["t"]}),
        ("postgres", "INSERT INTO s.t (a) SELECT b FROM u", {"verb": "insert", "tables": ["s.t", "u"]}),
        ("postgres", "WITH x AS (DELETE FROM t) SELECT 1 WHERE true", {"verb": "delete", "has_where": False}),
        ("postgres", "WITH t AS (SELECT 1) INSERT INTO t SELECT 1", {"tables": ["t"]}),
        ("bigquery", "FROM d.a |> JOIN d.b USING (id)", {"tables": ["d.a", "d.b"]}),
        ("postgres", "SELECT ARRAY(TABLE salaries)", {"tables": ["salaries"]}),
        ("postgres", "DROP TABLE a.b", {"verb": "drop", "tables": ["a.b"]}),
        ("postgres", "SELECT 1; DROP TABLE t", {"statements": 2, "verbs": ["drop", "select"], "reads_only": False}),
        ("tsql", "UPDATE t SET a = 1 WHERE b = 2", {"verb": "update", "tables": ["t"]}),
    ],
)  # fmt: skip
def test_the_facts_of_a_statement(dialect: str, text: str, expected: dict[str, Any]) -> None:
    """AZ-06"""
    found = read(text, dialect)
    assert {key: found[key] for key in expected} == expected


@pytest.mark.parametrize(
    ("dialect", "text"),
    [
        ("postgres", "SELECT a FROM orders WHERE f(1)"),
        ("postgres", "SELECT * FROM dblink('x', 'SELECT * FROM salaries') AS t(a int)"),
        ("tsql", "UPDATE t SET a = 1 DELETE FROM salaries"),
        ("mysql", "SHOW TABLES"),
        ("sqlite", "SELECT 1 WHERE 1 IN salaries"),
        ("tsql", "SELECT * FROM orders CROSS APPLY salaries"),
        ("tsql", "SELECT * FROM server.shop.dbo.salaries"),
        ("tsql", "SELECT * FROM shop..salaries"),
        ("postgres", 'SELECT * FROM "public.orders"'),
    ],
)
def test_what_is_not_understood_has_no_tables_to_compare_with(dialect: str, text: str) -> None:
    assert "tables" not in facts(text, dialect)


@pytest.mark.parametrize(
    "part", ["(", "SELECT * FROM (", "NOT ", "- ", "CASE WHEN ", "f(", "a.", "[", "'", "/*", "$a$", ";"]
)
@pytest.mark.parametrize("dialect", [file["dialect"] for file in FILES])
def test_hostile_nesting_is_unclear_and_nothing_worse(dialect: str, part: str) -> None:
    facts("SELECT " + part * (7000 // len(part)), dialect)
