"""Changes in Understudy's own processes, named by FAULTS_PATCHES: faults from inside, and defences taken out.

Python runs this file at its start where it lies on PYTHONPATH (site(7)); the product knows nothing of it.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Callable, Sequence
from types import ModuleType

Patch = Callable[[ModuleType], None]


class Patching(importlib.abc.MetaPathFinder):
    """Calls what is to be changed in a module, once that has been imported."""

    def __init__(self, patches: dict[str, list[Patch]]) -> None:
        self.patches = patches

    def find_spec(
        self, name: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The module as it would be found without this, and changed after its import."""
        todo = self.patches.pop(name, None)
        if todo is None:
            return None
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                for each in todo:
                    each(module)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]  # of this one module's loader
        return spec


if os.environ.get("FAULTS_PATCHES"):
    import faults_patches

    wanted: dict[str, list[Patch]] = {}
    for word in os.environ["FAULTS_PATCHES"].split(","):
        for place, patch in faults_patches.PATCHES[word]:
            wanted.setdefault(place, []).append(patch)
    for patch in wanted.pop("", []):
        patch(sys.modules["sys"])
    sys.meta_path.insert(0, Patching(wanted))
