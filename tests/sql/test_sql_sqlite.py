"""What SQLite itself says of generated statements, beside what the reader says: the real engine is the witness."""

import sqlite3
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from toolgate.policy.sql.reading import read
from toolgate.policy.sql.skeleton import Unclear

TABLES = ("orders", "salaries", "x", "y")
JUNK = ["SELECT", "1", "FROM", "x", ";", "DELETE", "IN", "(", ")", "'", '"', "--", "/*", "*/", "\n", "]", "["]
READING = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}

names = st.sampled_from(["orders", "salaries", "x", "y", "main.orders", '"salaries"', "[x]", "`y`", "Orders"])
gaps = st.sampled_from([" ", "\n", "/**/", " /* ; */ ", " -- DROP TABLE x\n", "\t"])


def joined(*parts: Any) -> st.SearchStrategy[str]:
    return st.tuples(*[one if isinstance(one, st.SearchStrategy) else st.just(one) for one in parts]).flatmap(
        lambda texts: st.lists(gaps, min_size=len(texts), max_size=len(texts)).map(
            lambda between: "".join(text + gap for text, gap in zip(texts, between, strict=True))
        )
    )


values = st.deferred(
    lambda: st.one_of(
        st.sampled_from(
            ["1", "a", "'it''s; DELETE FROM x'", "count(*)", "lower('A')", "x'00'", "NULL", '"a"', "x.a"]
        ),
        joined("(", selects, ")"),
        joined("a IN (", selects, ")"),
        joined("a IN", names),
        joined("EXISTS (", selects, ")"),
        joined("CASE WHEN", values, "THEN", values, "END"),
        joined("load_extension(", values, ")"),
    )
)
sources = st.deferred(
    lambda: st.one_of(
        names,
        names.map(lambda name: f"{name} AS x"),
        joined("(", selects, ") AS y"),
        joined(sources, ",", names),
        joined(sources, "JOIN", names, "ON 1"),
        joined(sources, "NATURAL JOIN", names),
    )
)
selects = st.deferred(
    lambda: st.one_of(
        joined("SELECT", values),
        joined("SELECT", values, "FROM", sources),
        joined("SELECT * FROM", sources, "WHERE", values),
        joined("SELECT a FROM", sources, "GROUP BY a HAVING", values),
        joined(selects, st.sampled_from(["UNION", "UNION ALL", "EXCEPT"]), selects),
        joined("WITH", st.sampled_from(["x", "orders", "z"]), "AS (", selects, ")", selects),
        joined("WITH RECURSIVE", st.sampled_from(["x", "salaries"]), "AS (", selects, ")", selects),
        joined("WITH x AS (", selects, "), orders AS (", selects, ")", selects),
    )
)
statements = st.one_of(
    selects,
    joined(selects, ";", st.sampled_from(["", "DELETE FROM x", "DROP TABLE y"])),
    joined("INSERT INTO", names, selects),
    joined("UPDATE", names, "SET a =", values),
    joined("DELETE FROM", names, "WHERE", values),
    joined("WITH x AS (", selects, ") DELETE FROM", names),
    joined("EXPLAIN", selects),
    joined("CREATE TABLE z AS", selects),
    joined("PRAGMA user_version =", values),
    st.lists(st.sampled_from(JUNK), max_size=12).map(" ".join),
)  # fmt: skip


def done_by(text: str) -> tuple[set[int], set[str]]:
    """Actions that SQLite asks leave for, and the tables it touches. Raises `sqlite3.Error`."""
    actions: set[int] = set()
    tables: set[str] = set()

    def leave(action: int, first: str | None, second: str | None, base: str | None, inner: str | None) -> int:
        actions.add(action)
        if action == sqlite3.SQLITE_READ and first in TABLES:
            tables.add(first)
        return sqlite3.SQLITE_OK

    connection = sqlite3.connect(":memory:")
    try:
        connection.executescript("".join(f"CREATE TABLE {name} (a, b);" for name in TABLES))
        connection.set_authorizer(leave)
        try:
            connection.execute(text)
        except (sqlite3.Warning, sqlite3.ProgrammingError):
            # Python runs one statement only; of several, each is asked leave for.
            connection.executescript(text)
    finally:
        connection.close()
    return actions, tables


@settings(max_examples=400, deadline=None)
@given(statements)
def test_what_is_taken_for_a_read_asks_sqlite_for_nothing_else_and_its_tables_are_all_named(
    text: str,
) -> None:
    """AZ-06, AZ-07"""
    try:
        facts = read(text, "sqlite")
        actions, tables = done_by(text)
    except (Unclear, sqlite3.Error):
        return
    if facts["reads_only"]:
        assert actions <= READING
    if "tables" in facts:
        named = {name.rpartition(".")[2] for name in facts["tables"]}
        assert tables <= named
