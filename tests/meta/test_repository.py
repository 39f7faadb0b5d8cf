from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, text=True, check=True
    ).stdout.split("\0")
    return [ROOT / name for name in listed if name and (ROOT / name).is_file()]


def test_the_top_level_keeps_its_names() -> None:
    for name in ("Pulumi.yaml", "__main__.py", "stacks", "components", "tests", "requirements.txt"):
        assert (ROOT / name).exists()


def test_nothing_is_left_open_in_the_code() -> None:
    words = "|".join(("TO" + "DO", "FIX" + "ME", "X" * 3 + r"\b", "NotImplemented" + "Error"))
    for path in tracked():
        if path.suffix == ".py":
            assert not re.search(words, path.read_text(encoding="utf-8")), path


def test_every_ignore_says_why() -> None:
    for path in tracked():
        if path.suffix != ".py":
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            found = re.search(r"#\s*(noqa|type: ignore)(.*)$", line)
            if found and "re.search" not in line:
                assert re.match(r"(: |\[)[A-Za-z0-9, -]+\]?(,\w+)*( - |  ?# )\S", found[2]), f"{path}:{number}: {line}"


def test_no_tracked_file_is_large_or_binary() -> None:
    for path in tracked():
        data = path.read_bytes()
        assert len(data) <= 1_000_000, path
        assert b"\0" not in data, path


def test_the_readme_gives_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make demo" in text
    assert "make test" in text
