"""Variables in values, as Compose interpolates them: `$V`, `${V}`, `:-`, `-`, `:?`, `?`, `:+`, `+`, `$$`, nested.

The reference is Compose itself (compose-go v2.9.0, package template): a `$` that begins nothing it knows stays, a
`${` that does is an error, and the word behind an operator is evaluated whether it is needed or not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from understudy.stacks.topology import TopologyError, Where

__all__ = ["MAX_VALUE", "InterpolationError", "Interpolator", "substitute"]

MAX_VALUE = 131_072
"""Characters of one value: the kernel takes no longer environment string (MAX_ARG_STRLEN, execve(2))."""

_MAX_TOTAL = 1 << 24  # of all values of a document: what stops variables that multiply each other
_MAX_NESTING = 32
_MAX_STEPS = 10_000
_NAME = "[_a-zA-Z][_a-zA-Z0-9]*"
# up to the last brace of the line: where the variable really ends is found by counting braces
_TEMPLATE = re.compile(rf"\$(?:(?P<dollar>\$)|(?P<plain>{_NAME})|\{{(?:(?P<braced>{_NAME}(?::?[-+?].*)?)\}}|))")
_BRACED = re.compile(rf"\$\{{(?P<name>{_NAME})(?P<operator>:?[-+?])?(?P<word>.*)\}}")

Lookup = Callable[[str], str | None]


class InterpolationError(ValueError):
    """A value that is no template, or a required variable that is missing."""


@dataclass(slots=True)
class _Run:
    """One value's evaluation: what it may still cost, and who is told of variables without a value."""

    lookup: Lookup
    unset: Callable[[str], None]
    steps: int = 0

    def evaluate(self, text: str, depth: int = 0) -> str:
        if depth > _MAX_NESTING:
            raise InterpolationError(f"variables are nested deeper than {_MAX_NESTING} levels")
        pieces: list[str] = []
        length = position = 0
        for match in _TEMPLATE.finditer(text):
            for piece in (text[position : match.start()], self._replace(match, text, depth)):
                length += len(piece)
                if length > MAX_VALUE:
                    raise InterpolationError(f"the value becomes longer than {MAX_VALUE} characters")
                pieces.append(piece)
            position = match.end()
        return "".join((*pieces, text[position:]))

    def _replace(self, match: re.Match[str], text: str, depth: int) -> str:
        self.steps += 1
        if self.steps > _MAX_STEPS:
            raise InterpolationError(f"the value has more than {_MAX_STEPS} variables")
        if match["dollar"]:
            return "$"
        if match["plain"]:
            return self._plain(match["plain"])
        if match["braced"] is None:
            raise _invalid(text[match.start() :])
        end = _closing(match[0])
        found = _BRACED.fullmatch(match[0][:end])
        if found is None:
            raise _invalid(match[0])
        rest = match[0][end:]
        if found["operator"] is None:
            return self._plain(found["name"])
        value = self._operate(found["name"], found["operator"], self.evaluate(found["word"], depth + 1))
        return value + (self.evaluate(rest, depth + 1) if rest else "")

    def _plain(self, name: str) -> str:
        value = self.lookup(name)
        if value is None:
            self.unset(name)
        return value or ""

    def _operate(self, name: str, operator: str, word: str) -> str:
        value = self.lookup(name)
        given = value is not None and (value != "" or not operator.startswith(":"))
        match operator[-1]:
            case "-":
                return value if given and value is not None else word
            case "+":
                return word if given else value or ""
        if not given:
            raise InterpolationError(
                f"the variable {name} is required and is {'empty' if value == '' else 'not set'}"
                + (f": {word}" if word else "")
            )
        return value or ""


def _invalid(text: str) -> InterpolationError:
    return InterpolationError(
        f"{text[:60]!r} is no variable; allowed are $NAME, ${{NAME}} and ${{NAME}} with :- - :? ? :+ or + and a word; "
        "a dollar sign itself is written $$"
    )


def _closing(text: str) -> int:
    """Behind the brace that closes the one that `text` begins with, braces of any kind counted; else its end."""
    depth, position = 0, 0
    while position < len(text):
        if text[position] == "}":
            depth -= 1
            if depth == 0:
                return position + 1
        elif text[position] == "{":
            depth += 1
            position += 1  # what stands right behind an opening brace is not looked at
        position += 1
    return len(text)


def substitute(text: str, lookup: Lookup, unset: Callable[[str], None] = lambda _name: None) -> str:
    """The text with all variables replaced; `unset` is told each one that is empty for want of a value.

    Raises:
        InterpolationError: it is no template, a required variable is missing, or it becomes longer than MAX_VALUE.
    """
    return _Run(lookup, unset).evaluate(text) if "$" in text else text


@dataclass(slots=True)
class Interpolator:
    """Interpolates the values of documents; remembers which variables they named and which of them have no value."""

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
            result = substitute(text, self._look_up, lambda name: self._note(name, where))
        except InterpolationError as error:
            raise TopologyError(str(error), where) from error
        self.total += len(result)
        if self.total > _MAX_TOTAL:
            raise TopologyError(f"the document's values become longer than {_MAX_TOTAL} characters", where)
        return result

    def _look_up(self, name: str) -> str | None:
        self.named.add(name)
        return self.variables.get(name)

    def _note(self, name: str, where: Where) -> None:
        self.unset.setdefault(name, where)
