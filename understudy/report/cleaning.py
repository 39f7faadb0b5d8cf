"""A record without secrets that is a record still: what foreign text may stand in is cleaned, its own words are not.

A secret may be `passed` or `environment`: taken out of the names of fields or the words of an enumeration, it would
leave a file that nobody can read.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Literal, NewType, Union, cast, get_args, get_origin

from understudy.report.codec import hints

__all__ = ["cleaned"]


def cleaned(kind: Any, data: object, clean: Callable[[object], object]) -> object:  # noqa: ANN401 - a type form
    """What `encode` made of a `kind`, with every text that is not one of its own words given to `clean`."""
    form, arguments = get_origin(kind), get_args(kind)
    if data is not None and form in (Union, types.UnionType):
        return cleaned(next(each for each in arguments if each is not type(None)), data, clean)
    if isinstance(kind, NewType) or form is Literal or (isinstance(kind, type) and issubclass(kind, Enum)):
        return data  # a moment, or a word of the record
    if form is tuple and isinstance(data, list):
        kinds = [arguments[0]] * len(data) if arguments[-1] is ... else arguments
        return [cleaned(each, item, clean) for each, item in zip(kinds, data, strict=True)]
    if form is Mapping and isinstance(data, dict):
        return {str(clean(key)): cleaned(arguments[1], item, clean) for key, item in data.items()}
    if dataclasses.is_dataclass(kind) and isinstance(data, dict):
        known = hints(cast("Any", kind))  # mypy takes no class for hashable
        return {name: cleaned(known[name], item, clean) if name in known else item for name, item in data.items()}
    return clean(data)
