"""Variables in values, as Compose interpolates them: `$V`, `${V}`, `:-`, `-`, `:?`, `?`, `:+`, `+`, `$$`, nested.

The grammar is the Compose specification's chapter on interpolation; what it does not allow is an error, not text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from understudy.stacks.topology import TopologyError, Where

__all__ = ["MAX_VALUE", "InterpolationError", "Interpolator", "Part", "Variable", "evaluate", "names", "split"]

MAX_VALUE = 131_072
"""Characters of one value: the kernel takes no longer environment string (MAX_ARG_STRLEN, execve(2))."""

_MAX_TOTAL = 1 << 24  # of all values of a document: what stops variables that multiply each other
_MAX_NESTING = 32
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATORS = (":-", ":?", ":+", "-", "?", "+")


class InterpolationError(ValueError):
    """A value that is no template, or a required variable that is missing."""


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable in a template; `operator` is empty or one of Compose's six, `word` what stands behind it."""

    name: str
    operator: str = ""
    word: tuple[Part, ...] = ()


Part = str | Variable


def split(text: str) -> tuple[Part, ...]:
    """The template as literal texts and variables.

    Raises:
        InterpolationError: a `$` begins nothing that Compose knows.
    """
    return _split(text, 0)


def _split(text: str, depth: int) -> tuple[Part, ...]:
    if depth > _MAX_NESTING:
        raise InterpolationError(f"variables are nested deeper than {_MAX_NESTING} levels")
    parts: list[Part] = []
    position = 0
    while (dollar := text.find("$", position)) >= 0:
        parts.append(text[position:dollar])
        if text.startswith("$$", dollar):
            parts.append("$")
            position = dollar + 2
        elif text.startswith("${", dollar):
            end = _closing(text, dollar)
            parts.append(_braced(text[dollar + 2 : end], depth))
            position = end + 1
        elif match := _NAME.match(text, dollar + 1):
            parts.append(Variable(match[0]))
            position = match.end()
        else:
            raise _invalid(text[dollar:])
    parts.append(text[position:])
    return tuple(part for part in parts if part != "")


def _invalid(text: str) -> InterpolationError:
    return InterpolationError(
        f"{text[:60]!r} is no variable; allowed are $NAME, ${{NAME}} and ${{NAME}} with :- - :? ? :+ or + and a word; "
        "a dollar sign itself is written $$"
    )


def _closing(text: str, start: int) -> int:
    """The brace that closes the `${` at `start`."""
    depth, position = 1, start + 2
    while depth and (match := re.compile(r"\$\$|\$\{|\}").search(text, position)):
        depth += {"${": 1, "}": -1}.get(match[0], 0)
        position = match.end()
    if depth:
        raise _invalid(text[start:])
    return position - 1


def _braced(inside: str, depth: int) -> Variable:
    match = _NAME.match(inside)
    if match is None:
        raise _invalid("${" + inside + "}")
    rest = inside[match.end() :]
    if not rest:
        return Variable(match[0])
    for operator in _OPERATORS:
        if rest.startswith(operator):
            return Variable(match[0], operator, _split(rest[len(operator) :], depth + 1))
    raise _invalid("${" + inside + "}")


def names(parts: tuple[Part, ...]) -> Iterator[str]:
    """Every variable that the template names, in its words too."""
    for part in parts:
        if isinstance(part, Variable):
            yield part.name
            yield from names(part.word)


def evaluate(
    parts: tuple[Part, ...], lookup: Callable[[str], str | None], unset: Callable[[str], None] = lambda _name: None
) -> str:
    """The text with all variables replaced; `unset` is told each one that is empty for want of a value.

    Raises:
        InterpolationError: a required variable is missing, or the text becomes longer than MAX_VALUE.
    """
    pieces: list[str] = []
    length = 0
    for part in parts:
        piece = part if isinstance(part, str) else _value(part, lookup, unset)
        length += len(piece)
        if length > MAX_VALUE:
            raise InterpolationError(f"the value becomes longer than {MAX_VALUE} characters")
        pieces.append(piece)
    return "".join(pieces)


def _value(variable: Variable, lookup: Callable[[str], str | None], unset: Callable[[str], None]) -> str:
    value = lookup(variable.name)
    given = value is not None and (value != "" or not variable.operator.startswith(":"))
    match variable.operator[-1:]:
        case "-":
            return value if given and value is not None else evaluate(variable.word, lookup, unset)
        case "+":
            return evaluate(variable.word, lookup, unset) if given else ""
        case "?" if not given:
            word = evaluate(variable.word, lookup, unset)
            raise InterpolationError(
                f"the variable {variable.name} is required and is {'empty' if value == '' else 'not set'}"
                + (f": {word}" if word else "")
            )
    if value is None:
        unset(variable.name)
    return value or ""


@dataclass(slots=True)
class Interpolator:
    """Interpolates the values of one document; remembers which variables it named and which of them have no value."""

    variables: Mapping[str, str]
    named: set[str] = field(default_factory=set)
    unset: dict[str, Where] = field(default_factory=dict)
    total: int = 0

    def __call__(self, text: str, where: Where) -> str:
        """The text at `where` with its variables replaced.

        Raises:
            TopologyError: it is no template, a required variable is missing, or the document grows too large.
        """
        if "$" not in text:
            return text
        try:
            parts = split(text)
            self.named.update(names(parts))
            result = evaluate(parts, self.variables.get, lambda name: self._note(name, where))
        except InterpolationError as error:
            raise TopologyError(str(error), where) from error
        self.total += len(result)
        if self.total > _MAX_TOTAL:
            raise TopologyError(f"the document's values become longer than {_MAX_TOTAL} characters", where)
        return result

    def _note(self, name: str, where: Where) -> None:
        self.unset.setdefault(name, where)
