"""The order of tests within pytest: a permutation, failed ones first, fixtures set up no more often than need be."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from understudy.history.arrange import orders_of
from understudy.history.past import Ended, Past
from understudy.suites.pytest_order import arranged

IDS = st.lists(
    st.builds("{}::{}".format, st.sampled_from(["a.py", "b.py", "c.py"]), st.sampled_from("tuvwxyz")), unique=True
)
SECONDS = st.dictionaries(IDS.filter(bool).map(lambda ids: ids[0]), st.floats(0, 9))


@dataclass
class Item:
    nodeid: str
    callspec: object = None


def order(ids: list[str], failed: list[str], seconds: dict[str, float], *, singly: bool = False) -> list[str]:
    items = [Item(each) for each in ids]
    return [item.nodeid for item in arranged(items, failed, seconds, singly=singly)]  # type: ignore[arg-type] - items


def by_file(ids: list[str]) -> list[str]:
    return sorted(ids, key=lambda each: each.partition("::")[0])


@given(
    ids=IDS,
    failed=IDS,
    seconds=st.dictionaries(IDS.filter(bool).map(lambda ids: ids[0]), st.floats(0, 9)),
    singly=st.booleans(),
)
def test_the_order_is_a_permutation(
    ids: list[str], failed: list[str], seconds: dict[str, float], *, singly: bool
) -> None:
    made = order(ids, failed, seconds, singly=singly)
    assert Counter(made) == Counter(ids)
    first = [each for each in ids if each in failed]
    assert made[: len(first)] == first
    assert order(ids, failed, seconds, singly=singly) == made


@given(
    ids=IDS, seconds=st.dictionaries(IDS.filter(bool).map(lambda ids: ids[0]), st.floats(0, 9)), singly=st.booleans()
)
def test_files_stay_together(ids: list[str], seconds: dict[str, float], *, singly: bool) -> None:
    made = order(by_file(ids), [], seconds, singly=singly)
    files = [each.partition("::")[0] for each in made]
    assert sum(a != b for a, b in pairwise(files)) == max(0, len(set(files)) - 1)


def test_failed_first_then_the_longest_file() -> None:
    ids = ["a.py::one", "a.py::two", "b.py::one", "b.py::two", "c.py::new"]
    seconds = {"a.py::one": 1.0, "a.py::two": 1.0, "b.py::one": 1.0, "b.py::two": 5.0}
    assert order(ids, ["a.py::two"], seconds) == ["a.py::two", "b.py::one", "b.py::two", "a.py::one", "c.py::new"]
    assert order(ids, [], seconds, singly=True)[:2] == ["b.py::two", "b.py::one"]
    assert order(ids, [], {}) == ids


def test_classes_stay_together_when_tests_are_handed_out_singly() -> None:
    ids = ["a.py::C::x", "a.py::C::y", "a.py::f", "a.py::D::z[a::b]"]
    seconds = {"a.py::C::x": 1.0, "a.py::C::y": 3.0, "a.py::f": 2.0, "a.py::D::z[a::b]": 9.0}
    assert order(ids, [], seconds, singly=True) == ["a.py::D::z[a::b]", "a.py::C::y", "a.py::C::x", "a.py::f"]


def test_files_that_pytest_mixed_stay_as_they_are() -> None:
    ids = ["a.py::t[1]", "b.py::t[1]", "a.py::t[2]", "b.py::t[2]"]
    assert order(ids, [], {"b.py::t[1]": 9.0, "b.py::t[2]": 9.0}) == ids


def test_the_past_says_what_failed_last_and_how_long_it_takes() -> None:
    past = Past(
        tests={
            ("api", "mended"): [Ended("failed", 9.0), Ended("passed", 1.0)],
            ("api", "broken"): [
                Ended("passed", 2.0),
                Ended("failed", 9.0),
                Ended("not-run", 0.0),
                Ended("skipped", 0.0),
            ],
            ("api", "of the base"): [Ended("passed", 3.0, own=False), Ended("error", 0.0, own=False)],
            ("api", "dead"): [Ended("passed", 4.0), Ended("environment-failed", 0.1)],
        },
        suites={"api": [Ended("passed", 20.0), Ended("failed", 1.0)], "lint": [Ended("stopped", 1.0)]},
    )
    orders = orders_of(past)
    assert orders["api"].failed_tests == ("broken", "of the base")
    assert orders["api"].tests == {"mended": 1.0, "broken": 2.0, "of the base": 3.0, "dead": 4.0}
    assert (orders["api"].failed, orders["api"].seconds) == (True, 20.0)
    assert (orders["lint"].failed, orders["lint"].seconds) == (False, None)
