"""YAML text to plain data that remembers where each key stands. Knows nothing of models, secrets or folders.

What is read is less than YAML 1.1, so that a file means what it says: only `true` and `false` are booleans,
only decimal numbers are numbers, dates and times stay text, a key stands once and is always text.
"""

import math
import re
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from toolgate.errors import ConfigError, Problem

try:
    from yaml import CSafeLoader as FastestLoader
except ImportError:  # PyYAML built without libyaml: ten times slower, same meaning.
    from yaml import SafeLoader as FastestLoader  # type: ignore[assignment]

MAX_DEPTH = 64
MAX_REPEATED = 10_000
"""Nodes that aliases may repeat in one file: a dozen lines of aliases could otherwise stand for billions."""

Path = tuple[str | int, ...]

_TAG = "tag:yaml.org,2002:"
_NULL = re.compile(r"(?:null|~|)\Z")
_BOOL = re.compile(r"(?:true|false)\Z")
# 18 digits fit into the 64 bits that conditions count with; longer digits are an account number, so text.
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})\Z")
_FLOAT = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]+(?:[eE][-+]?[0-9]{1,3})?|[eE][-+]?[0-9]{1,3})\Z")


class Loader(FastestLoader):
    """Reads the scalars of YAML 1.2 as JSON would, and composes nodes only: nothing is constructed."""

    yaml_implicit_resolvers: ClassVar[dict[str, list[tuple[str, re.Pattern[str]]]]] = {  # type: ignore[misc]
        "": [(_TAG + "null", _NULL)],
        "n": [(_TAG + "null", _NULL)],
        "~": [(_TAG + "null", _NULL)],
        "t": [(_TAG + "bool", _BOOL)],
        "f": [(_TAG + "bool", _BOOL)],
        **{first: [(_TAG + "int", _INT), (_TAG + "float", _FLOAT)] for first in "-+0123456789"},
    }


class Document:
    """One file as plain data (`dict`, `list`, `str`, `int`, `float`, `bool`, `None`) with positions."""

    def __init__(self, file: str, data: Any, root: Node | None) -> None:
        self.file = file
        self.data = data
        self._root = root

    def locate(self, path: Path) -> tuple[int, int]:
        """Line and column, both from 1, of the key or list item, or of its nearest ancestor that exists."""
        if self._root is None:
            return 1, 1
        at, node = self._root, self._root
        for step in path:
            found = _child(node, step)
            if found is None:
                break
            at, node = found
        return _position(at)

    def problem(self, path: Path, text: str, remedy: str = "") -> Problem:
        """A problem with the key at `path`."""
        line, column = self.locate(path)
        return Problem(text, file=self.file, line=line, column=column, key=spell(path), remedy=remedy)


def parse(text: bytes, file: str) -> Document:
    """Reads one YAML document; `file` only names it in messages.

    Raises `ConfigError` naming every duplicate key, unknown tag or merge key, or the one syntax error.
    """
    root = _compose(_decode(text, file), file)
    if root is None:
        return Document(file, None, None)
    building = _Building(file)
    data = building.build(root, (), 0)
    if building.problems:
        raise ConfigError(building.problems)
    return Document(file, data, root)


def spell(path: Path) -> str:
    """A key path as people write it: `identity.issuers[0].audience`."""
    return "".join(_spell_step(step) for step in path).removeprefix(".")


def _spell_step(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    # A key of any other form may be half a file by mistake, or hold what moves a terminal's cursor.
    plain = re.fullmatch(r"[A-Za-z0-9_.*/-]{1,64}", step)
    return f".{step}" if plain else "." + ascii(step[:40])


def _decode(text: bytes, file: str) -> str:
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        fault = Problem("the file is not UTF-8 text.", file=file, line=line)
    raise ConfigError([fault])


def _compose(text: str, file: str) -> Node | None:
    loader = None
    try:
        loader = Loader(text)
        return loader.get_single_node()
    except yaml.YAMLError as error:
        fault = _syntax_problem(error, text, file)
    except (RecursionError, ValueError, OverflowError):
        # The loader without libyaml recurses per level and trusts the numbers of \U escapes.
        fault = Problem("the file cannot be read as YAML: too deep, or an impossible escape.", file=file)
    finally:
        if loader is not None:
            loader.dispose()
    raise ConfigError([fault])


def _syntax_problem(error: yaml.YAMLError, text: str, file: str) -> Problem:
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        # No mark means the reader refused a character; its message would quote the file.
        position = getattr(error, "position", 0)
        line = text.count("\n", 0, position) + 1 if isinstance(position, int) else 0
        return Problem("YAML allows no control characters.", file=file, line=line)
    said = " ".join(
        part for part in (getattr(error, "context", None), getattr(error, "problem", None)) if part
    )
    remedy = _syntax_remedy(text, mark.line)
    if any(word in said for word in ("alias", "anchor", "tag")):
        # Fixed words: a secret that starts with * or & is taken for an alias and would be shown.
        said, remedy = "an alias, anchor or tag is unknown", "Put text that starts with *, & or ! in quotes."
    return Problem(f"not YAML: {said}.", file=file, line=mark.line + 1, column=mark.column + 1, remedy=remedy)


def _syntax_remedy(text: str, at: int) -> str:
    """What most often is the matter with such a line."""
    line = "".join(text.splitlines()[at : at + 1])
    if "${" in line:
        return 'Put ${...} in quotes: "${env:NAME}".'
    return "Indent with spaces, not tabs." if re.match(r" *\t", line) else ""


def _child(node: Node, step: str | int) -> tuple[Node, Node] | None:
    """Where the entry begins, and its value."""
    if isinstance(node, MappingNode) and isinstance(step, str):
        return next((entry for entry in node.value if entry[0].value == step), None)
    if isinstance(node, SequenceNode) and isinstance(step, int) and 0 <= step < len(node.value):
        return node.value[step], node.value[step]
    return None


def _position(node: Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1


class _Building:
    """Nodes to data, with the faults found on the way and the bounds that aliases must respect."""

    def __init__(self, file: str) -> None:
        self.problems: list[Problem] = []
        self._file = file
        self._seen: set[int] = set()
        self._repeated = 0

    def build(self, node: Node, path: Path, depth: int) -> Any:
        self._bound(node, depth)
        match node:
            case MappingNode(tag=tag) if tag == _TAG + "map":
                return {
                    key: self.build(value, (*path, key), depth + 1)
                    for key, value in self._entries(node, path)
                }
            case SequenceNode(tag=tag) if tag == _TAG + "seq":
                return [self.build(item, (*path, at), depth + 1) for at, item in enumerate(node.value)]
            case ScalarNode(tag=tag, value=str(text)) if tag in _SCALARS:
                pattern, convert = _SCALARS[tag]
                if pattern.match(text):
                    return convert(text)
        self._fault(
            node, path, "tags are not read here.", "Leave out what starts with '!', or put it in quotes."
        )
        return None

    def _entries(self, node: MappingNode, path: Path) -> Iterator[tuple[str, Node]]:
        first: dict[str, Node] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                self._fault(key, path, "a key must be text.", "Put values that start with { or [ in quotes.")
            elif key.value == "<<" and not key.style:
                self._fault(key, path, "merge keys ('<<') are not read here.", "Write the keys out.")
            elif key.value in first:
                line, _ = _position(first[key.value])
                self._fault(key, (*path, key.value), f"the key stands twice, first in line {line}.")
            else:
                first[key.value] = key
                yield key.value, value

    def _bound(self, node: Node, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise ConfigError([self._problem(node, (), f"nested deeper than {MAX_DEPTH} levels.")])
        if id(node) not in self._seen:
            self._seen.add(id(node))
            return
        self._repeated += 1
        if self._repeated > MAX_REPEATED:
            raise ConfigError([self._problem(node, (), f"aliases repeat more than {MAX_REPEATED} values.")])

    def _fault(self, node: Node, path: Path, text: str, remedy: str = "") -> None:
        self.problems.append(self._problem(node, path, text, remedy))

    def _problem(self, node: Node, path: Path, text: str, remedy: str = "") -> Problem:
        line, column = _position(node)
        return Problem(text, file=self._file, line=line, column=column, key=spell(path), remedy=remedy)


def _float(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text


_SCALARS: dict[str, tuple[re.Pattern[str], Callable[[str], Any]]] = {
    _TAG + "null": (_NULL, lambda _: None),
    _TAG + "bool": (_BOOL, lambda text: text == "true"),
    _TAG + "int": (_INT, int),
    _TAG + "float": (_FLOAT, _float),
    _TAG + "str": (re.compile(""), str),
}
