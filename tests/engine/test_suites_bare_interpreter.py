"""A user's own interpreter, with pytest and nothing else: none of our packages, no xdist."""

from __future__ import annotations

import importlib.util
import venv
from pathlib import Path

import pytest

from understudy.suites.results import Outcome

from .suite_stages import Stage, outcomes

PYTEST = ("pytest", "_pytest", "pluggy", "iniconfig", "packaging", "pygments", "py")


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """The interpreter of a virtual environment in which only pytest can be imported."""
    folder = tmp_path / "venv"
    venv.create(folder, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    for package in PYTEST:
        found = importlib.util.find_spec(package)
        assert found is not None
        assert found.origin is not None
        origin = Path(found.origin)
        source = origin.parent if origin.name == "__init__.py" else origin
        (site / source.name).symlink_to(source)
    return folder / "bin" / "python"


def test_an_interpreter_with_pytest_alone_runs_its_tests_one_by_one_and_says_so(stage: Stage, bare: Path) -> None:
    suite = stage.suite(
        "api",
        """
        import importlib.util
        import pytest
        @pytest.mark.parametrize("package", ["understudy", "pulumi", "docker", "click", "xdist"])
        def test_is_not_there(package):
            assert importlib.util.find_spec(package) is None
        def test_fails():
            assert 0, "as it shall"
        """,
        python=str(bare),
    )

    result = stage.one(suite, workers=4, stop_after=None)

    assert list(outcomes(result).values()) == [Outcome.PASSED.value] * 5 + [Outcome.FAILED.value]
    assert all(case.seconds is not None for case in result.cases)
    assert any("xdist" in (event.detail or "") for event in stage.events)
