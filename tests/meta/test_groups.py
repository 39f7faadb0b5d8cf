from __future__ import annotations

import pytest


@pytest.mark.xdist_group("groups")
def test_what_is_marked_as_a_group_goes_to_one_worker(request: pytest.FixtureRequest) -> None:
    """pytest-xdist 3.8 tells a group by the id of its tests, which it cannot change from pytest 9.2 on."""
    if not getattr(request.config.option, "loadgroup", False):
        pytest.skip("one process runs all tests")
    assert request.node.nodeid.endswith("@groups")
