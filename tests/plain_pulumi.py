"""Plain `pulumi` as a user starts it in a project whose program is Understudy's."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

from support import Done, Project


class Plain:
    """The `pulumi` command in a shell that has evaluated `understudy env`."""

    def __init__(self, project: Project) -> None:
        self.project = project
        shown = project.understudy("env")
        assert shown.code == 0, shown.text
        exports = [shlex.split(line) for line in shown.out.splitlines()]
        assert {words[0] for words in exports} == {"export"}
        assert {len(words) for words in exports} == {2}
        self.env = project.env | dict(words[1].split("=", 1) for words in exports)
        pulumi = shutil.which("pulumi", path=self.env["PATH"])
        assert pulumi is not None
        self.command = pulumi

    def __call__(self, *arguments: str, code: int = 0, env: dict[str, str] | None = None) -> Done:
        ran = subprocess.run(
            [self.command, *arguments, "--non-interactive"],
            cwd=self.project.folder,
            env=self.env | (env or {}),
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        done = Done(ran.returncode, ran.stdout, ran.stderr)
        assert done.code == code, done.text
        assert "warning" not in done.text.lower(), done.text
        return done

    def outputs(self) -> dict[str, Any]:
        found = json.loads(self("stack", "output", "--json").out)
        assert isinstance(found, dict)
        return found

    def trees(self) -> list[Path]:
        return list((Path(self.env["XDG_STATE_HOME"]) / "understudy").glob("trees/*"))


def resources(done: Done) -> set[str]:
    """What `pulumi` says last that it did with the resources, such as {"created"} or {"unchanged"}."""
    counted = done.out.rpartition("\nResources:\n")[2].partition("\n\n")[0]
    return {re.sub(r"^\W*\d+ ", "", line) for line in counted.splitlines()}


def environment_of(done: Done) -> str:
    """The environment's id, as which `pulumi` shows its component."""
    (found,) = {each[1] for each in re.finditer(r" understudy:(?:aws|index):Environment +(\w+) ", done.out)}
    return found
