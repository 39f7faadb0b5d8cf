"""Every property of our tables is one of the published schema, under its name and of its type."""

from __future__ import annotations

import collections.abc
import typing
from collections.abc import Iterator, Mapping

import pytest

from understudy.provider.container_table import CONTAINER
from understudy.provider.schema import ListOf, MapOf, Scalar, Type
from understudy.provider.tables import IMAGE, NETWORK, VOLUME

TABLES = {"Container": CONTAINER, "Network": NETWORK, "Volume": VOLUME, "RemoteImage": IMAGE}
SCALARS = {str: Scalar.STRING, int: Scalar.INT, bool: Scalar.BOOL}


def published(cls: type) -> dict[str, typing.Any]:
    """Pulumi name -> type hint of a generated Args or State class, read from its property getters."""
    import pulumi
    import pulumi_docker._inputs

    scope = {**vars(typing), **vars(pulumi_docker._inputs), "Output": pulumi.Output}
    found = {}
    for member in vars(cls).values():
        if isinstance(member, property) and member.fget is not None:
            name = getattr(member.fget, "_pulumi_name", member.fget.__name__)
            found[name] = typing.get_type_hints(member.fget, scope)["return"]
    return found


def plain(hint: typing.Any) -> typing.Any:
    """The type without Input, Output, Awaitable, Optional and the dict form of an object."""
    while typing.get_origin(hint) is typing.Union or isinstance(hint, type(int | str)):
        parts = [p for p in typing.get_args(hint) if p is not type(None)]
        parts = [
            p
            for p in parts
            if typing.get_origin(p) is not collections.abc.Awaitable
            and "Output" not in str(typing.get_origin(p))
            and not getattr(p, "__name__", "").endswith("ArgsDict")
        ]
        assert len(parts) == 1, hint
        hint = parts[0]
    return hint


def mismatches(kind: Type, hint: typing.Any, path: str) -> Iterator[str]:
    hint = plain(hint)
    origin = typing.get_origin(hint)
    if isinstance(kind, Scalar):
        if SCALARS.get(hint) is not kind:
            yield f"{path}: {kind} is {hint} there"
    elif isinstance(kind, ListOf):
        if origin is not collections.abc.Sequence:
            yield f"{path}: a list is {hint} there"
        else:
            yield from mismatches(kind.item, typing.get_args(hint)[0], f"{path}[]")
    elif isinstance(kind, MapOf):
        if origin is not collections.abc.Mapping:
            yield f"{path}: a map is {hint} there"
        else:
            yield from mismatches(kind.item, typing.get_args(hint)[1], f"{path}.*")
    else:
        yield from missing(kind.fields, published(hint), f"{path}.")


def missing(fields: Mapping[str, typing.Any], theirs: Mapping[str, typing.Any], path: str) -> Iterator[str]:
    for name, declared in fields.items():
        if name not in theirs:
            yield f"{path}{name}: not in the published schema"
        else:
            yield from mismatches(declared.type, theirs[name], f"{path}{name}")


@pytest.mark.parametrize("resource", TABLES)
def test_every_input_is_a_published_one_of_the_same_type(resource: str) -> None:
    import pulumi_docker

    theirs = published(getattr(pulumi_docker, f"{resource}Args"))
    assert not list(missing(TABLES[resource].inputs, theirs, ""))


@pytest.mark.parametrize("resource", TABLES)
def test_every_output_is_a_published_one(resource: str) -> None:
    import pulumi_docker

    module = __import__(
        f"pulumi_docker.{getattr(pulumi_docker, resource).__module__.rpartition('.')[2]}", fromlist=["x"]
    )
    theirs = published(getattr(module, f"_{resource}State"))
    assert set(TABLES[resource].outputs) <= set(theirs)


@pytest.mark.parametrize("resource", TABLES)
def test_every_required_input_is_required_there_too(resource: str) -> None:
    import inspect

    import pulumi_docker

    parameters = inspect.signature(getattr(pulumi_docker, f"{resource}Args").__init__).parameters
    theirs = {
        n for n, p in parameters.items() if n not in {"self", "__self__"} and p.default is inspect.Parameter.empty
    }
    assert {n for n, p in TABLES[resource].inputs.items() if p.required} == theirs


def test_the_comparison_sees_what_is_wrong() -> None:
    """The net itself: a wrong type, a wrong name and a wrong shape are all found."""
    import pulumi_docker

    theirs = published(pulumi_docker.ContainerArgs)
    wrong = {
        "memory": CONTAINER.inputs["name"],
        "working_dir": CONTAINER.inputs["workingDir"],
        "envs": CONTAINER.inputs["tmpfs"],
        "labels": CONTAINER.inputs["ports"],
    }
    found = list(missing(wrong, theirs, ""))
    assert {text.split(":")[0].split("[")[0] for text in found} == set(wrong)
