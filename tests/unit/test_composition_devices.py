"""A document that names a device or an endless file is refused, and not read to its end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from understudy.composition import Request, find
from understudy.documents import Documents
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


def test_a_named_pipe_is_no_file_of_a_document_nor_of_variables(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for text in (
        "services: {a: {image: x, env_file: [pipe]}}",
        "include: [pipe]",
        "services: {a: {extends: {file: pipe, service: a}}}",
    ):
        (tmp_path / "compose.yaml").write_text(text)
        with pytest.raises(UsageError, match=r"pipe, and it is no file"):
            find(Request(), tmp_path, {}).load()
    with pytest.raises(UsageError, match=r"pipe, and it is no file"):
        find(Request(env_files=("pipe",)), tmp_path, {})
    with pytest.raises(UsageError, match=r"pipe, and it is no file"):
        Documents(env_files=(str(tmp_path / "pipe"),)).variables(lambda _: None)


def test_what_a_shell_s_command_writes_is_read(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text('services: {a: {image: "x:${TAG}"}}')
    read, write = os.pipe()
    os.write(write, b"TAG=7\n")
    os.close(write)
    try:
        assert find(Request(env_files=(f"/dev/fd/{read}",)), tmp_path, {}).variables["TAG"] == "7"
    finally:
        os.close(read)
