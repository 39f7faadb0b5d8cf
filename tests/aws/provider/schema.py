"""Tables out of the SDK: the names, types and required properties are those of pulumi_aws' own argument classes."""

from __future__ import annotations

import collections.abc
import inspect
import re
import sys
import typing
from dataclasses import replace
from typing import Any

import pulumi_aws
from pulumi import _types

from understudy.provider.schema import BOOL, INT, STRING, ListOf, MapOf, Obj, Property, Rule, Table, Type

__all__ = ["table"]

_SCALARS = {str: STRING, bool: BOOL, int: INT, float: INT}


def table(token: str, takes: typing.Collection[str], replaces: typing.Collection[str], rules: dict[str, Rule]) -> Table:
    """The table of a resource such as `aws:ec2/vpc:Vpc` with the properties that we heed; any other is refused."""
    arguments = _arguments(token)
    unknown = {*takes, *replaces, *rules} - _types.input_type_types(arguments).keys()
    assert not unknown, f"{token} has no {sorted(unknown)} in pulumi_aws"
    missing = _required(arguments) - set(takes)
    assert not missing, f"{token} needs {sorted(missing)}"
    made = _properties(arguments, {*takes, "region"})
    inputs = {name: replace(made[name], replace=name in replaces, rule=rules.get(name)) for name in made}
    return Table(token, inputs, named=False, owned=False)


def _arguments(token: str) -> type:
    """`aws:ec2/vpc:Vpc` is the class Vpc of pulumi_aws.ec2, and beside it in its own module is VpcArgs.

    Only the package is asked for its parts: to import one of its modules by name spoils its way of loading them late.
    """
    package, name = re.fullmatch(r"aws:(\w+)/\w+:(\w+)", token).groups()
    resource = getattr(getattr(pulumi_aws, package), name)
    assert resource.pulumi_type == token
    beside = vars(sys.modules[resource.__module__])
    own = beside.get(f"{name}InitArgs")  # where an argument's class has the resource's name already
    return own or beside[f"{name}Args"]


def _required(arguments: type) -> set[str]:
    names = _types.input_type_py_to_pulumi_names(arguments)
    parameters = inspect.signature(arguments.__init__).parameters
    return {names[name] for name, given in parameters.items() if given.default is given.empty and name in names}


def _properties(arguments: type, only: typing.Collection[str] | None = None) -> dict[str, Property]:
    hints, required = _types.input_type_types(arguments), _required(arguments)
    wanted = hints.keys() if only is None else [name for name in hints if name in only]
    return {name: Property(_type(hints[name]), required=name in required) for name in wanted}


def _type(hint: Any) -> Type:
    hint = _plain(hint)
    if hint in _SCALARS:
        return _SCALARS[hint]
    if _types.is_input_type(hint):
        return Obj(_properties(hint))
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is collections.abc.Sequence:
        return ListOf(_type(inner[0]), unordered=True)  # in these resources every list but that of actions is a set
    assert origin is collections.abc.Mapping, hint
    return MapOf(_type(inner[1]))


def _plain(hint: Any) -> Any:
    """The type without Optional, Input, Output, Awaitable, the dict form of an object, and an enumeration's class."""
    while typing.get_origin(hint) is typing.Union or "Output" in str(typing.get_origin(hint)):
        parts = [part for part in typing.get_args(hint) if part is not type(None)]
        hint = next(
            part
            for part in parts
            if typing.get_origin(part) is not collections.abc.Awaitable
            and "pulumi.output" not in str(part)[:14]
            and not getattr(part, "__name__", "").endswith("ArgsDict")
        )
    return str if isinstance(hint, type) and issubclass(hint, str) else hint
