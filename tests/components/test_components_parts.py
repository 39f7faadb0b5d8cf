from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.components import registry
from understudy.components.container_args import go_duration
from understudy.components.names import container_names, slug
from understudy.components.plan import ordered
from understudy.components.registry import Registry
from understudy.components.service import SERVICES
from understudy.errors import UnderstudyError, UsageError
from understudy.stacks import identity
from understudy.stacks.clone import Clone, Mock
from understudy.stacks.topology import Dependency, Kind, Service, Topology


def test_every_kind_of_the_topology_has_a_component_in_a_file_of_its_name() -> None:
    registry.load()
    assert SERVICES.names() == tuple(sorted(get_args(Kind)))
    for kind in SERVICES.names():
        component = SERVICES.get(kind)
        assert component.__module__ == f"understudy.components.{kind}"
        assert component.pulumi_type == f"understudy:index:{kind.capitalize()}"
        assert component.__doc__
        assert ">>> " in component.__doc__


def test_a_name_is_registered_once() -> None:
    kinds: Registry[str] = Registry("colour")
    assert kinds.register("red")("a") == "a"
    with pytest.raises(UnderstudyError, match="'b' as colour 'red', which 'a' is already"):
        kinds.register("red")("b")
    assert kinds.get("red") == "a"


def test_an_unknown_name_lists_those_that_exist() -> None:
    kinds: Registry[str] = Registry("colour")
    with pytest.raises(UsageError, match=r"'x' is no colour.\nThere are: none at all."):
        kinds.get("x")
    kinds.register("red")("a")
    kinds.register("blue")("b")
    with pytest.raises(UsageError, match=r"There are: blue, red\."):
        kinds.get("x")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (0.5, "500ms"), (1, "1s"), (1.5, "1500ms"), (90, "90s"), (0.0001, "0s")]
)
def test_durations_are_written_as_go_reads_them(seconds: float, text: str) -> None:
    assert go_duration(seconds) == text


def test_services_come_after_those_that_they_depend_on() -> None:
    found = Topology(
        "t",
        {
            "a": Service("a", image="i", depends_on=(Dependency("c"), Dependency("gone", required=False))),
            "b": Service("b", image="i"),
            "c": Service("c", image="i", depends_on=(Dependency("b", "healthy"),)),
        },
    )
    assert [service.name for service in ordered(found)] == ["b", "c", "a"]


names = st.dictionaries(st.text(min_size=1), st.integers(1, 4), min_size=1, max_size=6)


@given(names, st.lists(st.text(min_size=1), max_size=3, unique=True))
def test_containers_never_share_a_name(services: dict[str, int], mocks: list[str]) -> None:
    found = Topology("t", {name: Service(name, image="i", replicas=count) for name, count in services.items()})
    result = container_names(Clone(found, mocks=tuple(Mock(name, "h", 80, "f") for name in mocks)))
    logical = [*(name for given in result.services.values() for name in given), *result.mocks.values(), result.relay]
    assert len(logical) == sum(services.values()) + len(mocks) + 1
    physical = {identity.name("eabc", name) for name in logical}
    assert len(physical) == len(logical)
    assert all(result.services[name][0] == name for name in services)


@given(st.text(min_size=1))
def test_a_slug_is_a_name_for_the_engine(text: str) -> None:
    assert set(slug(text)) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert slug(text)


def test_the_package_has_no_module_without_its_idea() -> None:
    import understudy.components as package

    for path in Path(package.__path__[0]).glob("*.py"):
        assert path.read_text(encoding="utf-8").startswith('"""'), path
