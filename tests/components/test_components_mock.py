from __future__ import annotations

import base64
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from understudy.components.mock_files import LIMIT
from understudy.errors import UsageError
from understudy.stacks.clone import Clone, Mock
from understudy.stacks.topology import Network, Topology

Declare = Callable[..., Any]


def clone(folder: str = "mocks/pay") -> Clone:
    networks = {"back": Network("back"), "front": Network("front")}
    return Clone(Topology("shop", {}, networks), mocks=(Mock("pay", "api.pay.example", 8080, folder),))


def test_a_mock_answers_under_the_third_partys_own_name(declare: Declare) -> None:
    inputs = declare(clone()).container("eabc-pay").inputs
    assert {n["name"]: n["aliases"] for n in inputs["networksAdvanced"]} == {
        "eabc-back": ["api.pay.example"],
        "eabc-front": ["api.pay.example"],
    }
    assert inputs["command"] == ["--port", "8080", "--disable-banner", "--root-dir", "/home/wiremock"]
    assert inputs["image"] == "sha256:id-of-wiremock/wiremock:3.13.1"
    assert inputs["healthcheck"] == {"tests": ["NONE"]}
    assert inputs["memory"] == 256
    assert "-Xmx128m" in inputs["envs"][0]


def test_its_files_are_uploaded(declare: Declare, tree: Path) -> None:
    folder = tree / "mocks" / "pay"
    (folder / "__files" / "sub").mkdir(parents=True)
    (folder / "__files" / "sub" / "body.txt").write_text("ä", encoding="utf-8")
    (folder / "__files" / "logo.png").write_bytes(b"\x89PNG\xff")
    (folder / "mappings" / "notes.txt").write_text("no mapping", encoding="utf-8")
    (folder / "README.md").write_text("not served", encoding="utf-8")
    uploads = declare(clone()).container("eabc-pay").inputs["uploads"]
    assert {u["file"]: u.get("content") or base64.b64decode(u["contentBase64"]) for u in uploads} == {
        "/home/wiremock/mappings/deep/charge.json": '{"request": {}}',
        "/home/wiremock/__files/sub/body.txt": "ä",
        "/home/wiremock/__files/logo.png": b"\x89PNG\xff",
    }


def _secret_file(folder: Path) -> None:
    (folder / "__files").mkdir()
    (folder / "__files" / "passwd").symlink_to("/etc/passwd")


def _outside_folder(folder: Path) -> None:
    (folder / "__files").symlink_to("/etc")


def _fifo(folder: Path) -> None:
    (folder / "__files").mkdir()
    os.mkfifo(folder / "__files" / "pipe")


def _large(folder: Path) -> None:
    (folder / "__files").mkdir()
    (folder / "__files" / "large").write_bytes(b"a" * LIMIT)


def _name(folder: Path) -> None:
    (folder / "mappings" / "a\x1b[2J.json").write_text("{}", encoding="utf-8")


def _raw_name(folder: Path) -> None:
    Path(os.fsdecode(os.fsencode(folder / "mappings") + b"/\xff.json")).write_text("{}", encoding="utf-8")


def _no_mapping(folder: Path) -> None:
    (folder / "mappings" / "deep" / "charge.json").unlink()


@pytest.mark.parametrize(
    ("prepare", "complaint"),
    [
        (_secret_file, "leaves the project's folder"),
        (_outside_folder, "leaves the project's folder"),
        (_fifo, "which is not a file"),
        (_large, "more than 4096 KiB"),
        (_name, "Give it a name that can be printed"),
        (_raw_name, "Give it a name that can be printed"),
        (_no_mapping, "it has no mapping"),
    ],
)
def test_what_cannot_be_served_is_refused(
    declare: Declare, tree: Path, prepare: Callable[[Path], None], complaint: str
) -> None:
    prepare(tree / "mocks" / "pay")
    with pytest.raises(UsageError, match=complaint) as error:
        declare(clone())
    assert "The folder of mock 'pay'" in str(error.value)


@pytest.mark.parametrize("folder", ["mocks/none", "../pay", "/etc"])
def test_a_folder_that_is_not_in_the_commit_is_refused(declare: Declare, folder: str) -> None:
    with pytest.raises(UsageError, match="The folder of mock 'pay'"):
        declare(clone(folder))
