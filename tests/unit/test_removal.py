from __future__ import annotations

from unittest.mock import Mock

import pytest

from understudy.errors import EnvironmentFailedError, ProvisionError, TestsFailedError, ToolError, UnderstudyError
from understudy.removal import with_target

PROVISIONED = ProvisionError("made web, and it failed")
TOOL = ToolError("listed the containers, and it failed")
TESTS = TestsFailedError("one test failed")


@pytest.mark.parametrize(
    ("error", "code", "there"),
    [(PROVISIONED, 3, 3), (TOOL, 3, 2), (TESTS, 1, 1)],
    ids=lambda value: type(value).__name__ if isinstance(value, UnderstudyError) else str(value),
)
def test_what_fails_once_the_target_is_gone_failed_with_its_environment(
    error: UnderstudyError, code: int, there: int
) -> None:
    assert with_target(Mock(), error).exit_code == there
    error.phase = "test"
    gone = with_target(Mock(reach=Mock(side_effect=ToolError("no answer to a ping within 10 s"))), error)
    assert (gone.exit_code, gone.phase) == (code, "test")
    assert str(error) in str(gone)
    if gone is not error:
        assert isinstance(gone, EnvironmentFailedError)
        assert str(gone).startswith("The target went away while the run used it. no answer to a ping within 10 s")
