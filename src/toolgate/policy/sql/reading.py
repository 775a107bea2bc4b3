"""What an SQL text does: one statement or several, reading or changing, which tables. The only file that knows sqlglot.

Two readers must agree: the parser's tree, and the bare words of the text. A statement is a read only if every
node of its tree is known to be harmless, every function only computes, and no word that changes anything stands
outside of quotes. What is not understood has no tables to compare with, so a condition that asks for them fails.
Names of views, and functions that a database's owner defined over those we know, look harmless from here.
"""

import logging
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlglot import exp, parse
from sqlglot.errors import ErrorLevel, SqlglotError

from toolgate.policy.functions import DIALECTS
from toolgate.policy.sql.names import CHANGING, CHANGING_TSQL, NESTED, PURE, SYNTAX
from toolgate.policy.sql.skeleton import MAX_TEXT, Unclear, skeleton

# It logs the texts it does not understand, and they hold values of calls.
logging.getLogger("sqlglot").setLevel(logging.CRITICAL)

_REMEMBERED = 512
"""Texts whose facts are kept: agents repeat themselves, and parsing costs a millisecond."""

_WORD = re.compile(r"[^\W\d]\w*")
_CALL = re.compile(r"""(?:(\w+|"q"|'')\s*(\.)\s*)?(\w+|"q"|'')\s*\(""")
_EXPLAIN = {
    "sqlite": re.compile(r"\s*explain(\s+query\s+plan)?\s+(?=select\b|with\b)", re.IGNORECASE),
    "postgres": re.compile(r"\s*explain(\s+analyze)?(\s+verbose)?\s+(?=select\b|with\b)", re.IGNORECASE),
    "mysql": re.compile(r"\s*(explain|describe|desc)(\s+analyze)?\s+(?=select\b|with\b)", re.IGNORECASE),
}
"""EXPLAIN before a query: as harmless as the query, which ANALYZE runs."""

# Nodes besides conditions, calculations and functions that only read.
_READING = tuple(
    getattr(exp, name)
    for name in """
    Condition Alias Aliases AtTimeZone CTE Filter National ColumnDef Cube DataType DataTypeParam Distinct
    Fetch From Group GroupingSets Having HavingMax Identifier IgnoreNulls Interval JSONColumnDef
    JSONKeyValue JSONPath JSONPathKey JSONPathRoot JSONPathSubscript JSONPathWildcard JSONSchema Join
    Lateral Limit LimitOptions Offset OpenJSONColumnDef Order Ordered Pivot PivotAny Qualify RespectNulls
    Rollup Schema Select SetOperation Slice Star Subquery Table TableAlias TableSample Tuple Unnest Values
    Var Version Where Window WindowSpec With WithinGroup
    """.split()
)
_CHANGING = (
    *(exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.When, exp.Whens, exp.Drop, exp.TruncateTable),
    *(exp.Returning, exp.OnConflict),
)
"""Nodes of statements that change something and are understood all the same."""
# Conditions to the parser which touch session variables, use up a sequence, or change how a string is read.
_NOT_READING = (exp.PropertyEQ, exp.NextValueFor, exp.Introducer, exp.SessionParameter)
_LATERAL = (exp.Subquery, exp.Func, exp.Unnest)
"""What may stand after LATERAL or APPLY: anything else may be a table or a function of the database."""
_SELECT_EXTRAS = ("into", "hint", "locks", "operation_modifiers")
"""Parts of a SELECT that write a table or a file, lock rows or change settings."""
_CHANGING_WORDS = {
    dialect: Counter(dict.fromkeys(CHANGING_TSQL if dialect == "tsql" else CHANGING, MAX_TEXT))
    for dialect in DIALECTS
}
_TABLE_HINTS = frozenset({"nolock", "readpast", "readcommitted", "readuncommitted"})
_SEES_ITSELF = ("tsql", "sqlite")
"""Dialects in which a common table expression may name itself without RECURSIVE."""
_FOLDED = ("tsql", "sqlite")
"""Dialects in which case makes no difference, also in quotes."""
_VERBS: Mapping[type[Any], str] = {
    exp.Query: "select",
    exp.Insert: "insert",
    exp.Update: "update",
    exp.Delete: "delete",
    exp.Merge: "merge",
    exp.Drop: "drop",
    exp.TruncateTable: "truncate",
}

Facts = dict[str, Any]


@lru_cache(maxsize=_REMEMBERED)
def read(text: str, dialect: str) -> Facts:
    """The facts of `text`; `sql()` in conditions. Raises `Unclear` where it cannot be parsed.

    `statements` and `reads_only` are always there; `verb`, `verbs`, `tables`, `schemas`, `columns` and
    `has_where` where everything in the text is understood.
    """
    if dialect not in DIALECTS:
        raise Unclear("there is no such SQL dialect")
    shown = skeleton(text, dialect)
    explained = _EXPLAIN[dialect].match(shown) if dialect in _EXPLAIN else None
    if explained is not None:
        # The same pattern on the text itself: comments before it are not worth following.
        inner = _EXPLAIN[dialect].match(text)
        if inner is None:
            raise Unclear("a comment within EXPLAIN")
        text, shown = text[inner.end() :], shown[explained.end() :]
    statements = _parse(text, dialect)
    if not statements or shown.rstrip().rstrip(";").count(";") != len(statements) - 1:
        raise Unclear("the SQL is empty, or its statements cannot be told apart")
    changing = Counter(_WORD.findall(shown.lower())) & _CHANGING_WORDS[dialect]
    known = (
        all(map(_verb, statements))
        and _pure(shown.lower(), statements)
        and all(_understood(node) for one in statements for node in one.walk())
    )
    reads = known and not changing and len(statements) == 1 and isinstance(statements[0], exp.Query)
    facts: Facts = {"statements": len(statements), "reads_only": reads}
    if known and (dialect != "tsql" or changing <= _accounted_for(statements)):
        facts |= _details(statements, dialect)
    return facts


def _parse(text: str, dialect: str) -> list[exp.Expr]:
    try:
        found = parse(text, read=dialect, error_level=ErrorLevel.RAISE)
    except (SqlglotError, RecursionError, ValueError) as error:
        raise Unclear("the SQL cannot be parsed") from error
    while found and found[-1] is None:
        found.pop()
    if any(one is None for one in found):
        raise Unclear("an empty statement among others")
    return [one for one in found if one is not None]


def _understood(node: exp.Expr) -> bool:
    if isinstance(node, exp.WithTableHint):
        return all(hint.name.lower() in _TABLE_HINTS for hint in node.expressions)
    if isinstance(node, _NOT_READING):
        # `STRUCT(1 AS a)` is written as an assignment, too.
        return isinstance(node, exp.PropertyEQ) and isinstance(node.parent, exp.Struct)
    if isinstance(node, exp.Select) and any(node.args.get(key) for key in _SELECT_EXTRAS):
        return False
    return isinstance(node, (*_READING, *_CHANGING))


def _pure(shown: str, statements: Sequence[exp.Expr]) -> bool:
    """Whether every name before a bracket is a word of the grammar, or a function that only computes."""
    # A name with its columns, `AS t(a, b)` or `INTO t (a, b)`, may stand there once for each that the tree has.
    listed = Counter(_shown_name(node) for one in statements for node in one.walk() if _lists_columns(node))
    for owner, dot, name in _CALL.findall(shown):
        if (not dot and name in SYNTAX) or (name in PURE and (not dot or owner in NESTED)):
            continue
        listed[name] -= 1
        if listed[name] < 0:
            return False
    return True


def _lists_columns(node: exp.Expr) -> bool:
    return (isinstance(node, exp.TableAlias) and bool(node.columns)) or (
        isinstance(node, exp.Schema) and isinstance(node.this, exp.Table)
    )


def _shown_name(node: exp.Expr) -> str:
    """As the skeleton has it, in small letters."""
    name = node.this.this if isinstance(node, exp.Schema) else node.this
    if name is None:
        return ""
    return '"q"' if name.args.get("quoted") else str(name.this).lower()


def _accounted_for(statements: Sequence[exp.Expr]) -> Counter[str]:
    """Words that the statements found begin with: another of them would begin one more, unseen."""
    words: Counter[str] = Counter()
    for one in statements:
        for verb in _verbs(one):
            words.update({"insert": ("insert", "into"), "update": ("update", "set")}.get(verb, (verb,)))
    return words


def _verb(node: exp.Expr) -> str | None:
    return next((verb for kind, verb in _VERBS.items() if isinstance(node, kind)), None)


def _verbs(statement: exp.Expr) -> list[str]:
    return list(filter(None, map(_verb, statement.walk())))


def _details(statements: Sequence[exp.Expr], dialect: str) -> Facts:
    nodes = [node for one in statements for node in one.walk()]
    tables = sorted({_full_name(node, dialect) for node in nodes if _is_table(node, dialect)})
    verbs = sorted({verb for one in statements for verb in _verbs(one)})
    facts: Facts = {
        "verbs": verbs,
        "tables": tables,
        "schemas": sorted({name.rpartition(".")[0] for name in tables}),
        "columns": sorted({column for node in nodes for column in _columns(node, dialect)}),
        "has_where": all(map(_has_where, statements)),
    }
    if len(statements) == 1:
        facts["verb"] = next((verb for verb in verbs if verb != "select"), "select")
    return facts


def _has_where(statement: exp.Expr) -> bool:
    changes: list[exp.Expr] = [*statement.find_all(exp.Update, exp.Delete)] or [statement]
    return all(one.args.get("where") is not None for one in changes)


def _is_table(node: exp.Expr, dialect: str) -> bool:
    """A table of the database: neither a function nor the name of a common table expression in force here."""
    if isinstance(node, exp.In) and node.args.get("field") is not None:
        raise Unclear("a table in place of a list")
    if isinstance(node, exp.Lateral) and not isinstance(node.this, _LATERAL):
        raise Unclear("a table that is applied to each row")
    if not isinstance(node, exp.Table) or isinstance(node.this, exp.Func):
        return False
    return bool(node.db) or _is_changed(node) or _fold(node.this, dialect) not in _local_names(node, dialect)


def _is_changed(table: exp.Expr) -> bool:
    owner = table.parent.parent if isinstance(table.parent, exp.Schema) else table.parent
    return isinstance(owner, _CHANGING)


def _local_names(node: exp.Expr, dialect: str) -> Iterator[str]:
    """Common table expressions that a table's name may mean where it stands."""
    inner: exp.Expr = node
    while (outer := inner.parent) is not None:
        clause = outer.args.get("with_")
        if isinstance(outer, exp.With):
            expressions = outer.expressions
            if not outer.recursive:
                at = next(number for number, one in enumerate(expressions) if one is inner)
                expressions = expressions[: at + (dialect in _SEES_ITSELF)]
            yield from (_fold(one.args["alias"].this, dialect) for one in expressions)
        elif clause is not None and clause is not inner:
            yield from (_fold(one.args["alias"].this, dialect) for one in clause.expressions)
        inner = outer


def _full_name(table: exp.Expr, dialect: str) -> str:
    written = [table.args.get(key) for key in ("catalog", "db")] + [table.this]
    names: list[str] = []
    for part in (part for part in written if part is not None):
        if not isinstance(part, exp.Identifier) or not part.this:
            raise Unclear("a table's name with an empty part, or with more than three")
        names.append(_fold(part, dialect))
    # Elsewhere a quoted name may hold a dot, and would read like a table of another schema.
    if dialect != "bigquery" and any("." in name for name in names):
        raise Unclear("a table's name with a dot in it")
    return ".".join(names)


def _columns(node: exp.Expr, dialect: str) -> Iterator[str]:
    """Names of columns a node reads or writes; `*` for all of a table."""
    if isinstance(node, exp.Star) and not isinstance(node.parent, exp.Count):
        yield "*"
    elif isinstance(node, exp.Column) and isinstance(node.this, exp.Identifier):
        yield _fold(node.this, dialect)
    elif isinstance(node, exp.Join | exp.Schema):
        listed = node.args.get("using") if isinstance(node, exp.Join) else node.expressions
        yield from (_fold(one, dialect) for one in listed or () if isinstance(one, exp.Identifier))
        # A natural join compares columns that no text names.
        if node.args.get("method") == "NATURAL":
            yield "*"


def _fold(name: exp.Expr, dialect: str) -> str:
    text = str(name.this)
    mark = "#" if name.args.get("temporary") else "##" if name.args.get("global_") else ""
    if dialect in _FOLDED or (dialect == "postgres" and not name.args.get("quoted")):
        return mark + text.lower()
    return mark + text
