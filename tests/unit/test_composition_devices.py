"""A document that names a device or an endless file is refused, and not read to its end."""

from __future__ import annotations

from pathlib import Path

import pytest

from understudy.composition import Request, find
from understudy.errors import UsageError
from understudy.stacks.topology import TopologyError


def test_a_device_is_no_file_of_a_document(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("services: {a: {image: x, env_file: [/dev/zero]}}")
    with pytest.raises(UsageError, match=r"Read /dev/zero, and it is no file"):
        find(Request(), tmp_path, {}).load()


def test_a_file_larger_than_is_read_is_not_read_whole(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("services: {a: {image: x, env_file: [large]}}")
    with (tmp_path / "large").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(TopologyError, match=r"large.*at most 1048576 are read"):
        find(Request(), tmp_path, {}).load()
