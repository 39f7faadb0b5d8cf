"""A work folder for one operation: the project file, the configuration, a private TMPDIR, all removed afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from understudy.engine.interface import StackRef
from understudy.scratch import Scratch

__all__ = ["work_folder"]


@contextmanager
def work_folder(ref: StackRef | None = None, config: Mapping[str, str] | None = None) -> Iterator[Path]:
    """A folder of mode 0700 in the system's temporary folder, held by a lock that ends with this process.

    It is in the temporary folder and not in the state folder because the CLI runs `git status` where it stands,
    and a home folder may well be a git repository.

    Args:
        ref: The stack; its project is written to Pulumi.yaml.
        config: Written to Pulumi.<stack>.yaml; a key without a namespace gets the project's.
    """
    with Scratch("op") as folder:
        (folder / "tmp").mkdir()
        if ref is not None:
            (folder / "Pulumi.yaml").write_text(f"name: {json.dumps(ref.project)}\nruntime: python\n", "utf-8")
        if ref is not None and config:
            text = json.dumps({"config": {_qualified(ref.project, key): value for key, value in config.items()}})
            (folder / f"Pulumi.{ref.name}.yaml").write_text(text, "utf-8")
        yield folder


def _qualified(project: str, key: str) -> str:
    return key if ":" in key else f"{project}:{key}"
