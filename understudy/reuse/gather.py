"""Gathers what a suite's result depends on: ids from git, digests from the daemon, packages from the interpreter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

import understudy
from understudy.blueprint import Blueprint
from understudy.build.contents import contents
from understudy.build.digests import present
from understudy.build.git import normal_path
from understudy.build.images import daemon_platform
from understudy.build.keys import Origin, image_tags
from understudy.build.tree import CommitTree
from understudy.errors import UnderstudyError
from understudy.options import Options
from understudy.reuse.key import Inputs
from understudy.stacks.topology import Suite
from understudy.suites.fingerprint import fingerprint
from understudy.suites.interpreter import PreparedSuite
from understudy.targets.docker_client import client

__all__ = ["Surroundings", "gather", "read_by", "surroundings"]

_ABOVE = (
    *("conftest.py", "__init__.py", "pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml"),
    *("pyproject.toml", "tox.ini", "setup.cfg", ".gitattributes"),
)
"""What is read from every folder above a suite's: by pytest ("Configuration", "conftest.py"), and by git."""

_NO_MATTER = frozenset({"TERM", "COLORTERM", "NO_COLOR", "TMP", "TEMP", "TMPDIR"})
"""Variables of the host that suites get and that say nothing of what they test."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all suites of a run share: digest or id by what runs, git ids by property, versions and options."""

    images: Mapping[str, str]
    files: Mapping[str, str]
    run: Mapping[str, str | int | None]


def surroundings(blueprint: Blueprint, options: Options, origin: Origin) -> Surroundings:
    """What is asked once for all suites.

    Raises:
        UnderstudyError: an image is not here, so that nothing names it for good; git or the daemon do not answer.
    """
    platform = daemon_platform(client())
    clone = blueprint.clone
    built = image_tags(clone.topology, origin, platform)
    wanted: dict[str, str] = {}
    for name, service in clone.topology.services.items():
        unbuilt = clone.pinned.get(name) or clone.unchanged_builds.get(name) or service.image or ""
        wanted[name] = built[name] if name in built and name not in clone.unchanged_builds else unbuilt
    if clone.endpoints or clone.mocks:
        wanted["(relay)"] = options.relay_image
    if clone.mocks:
        wanted["(mocks)"] = options.mock_image
    run: dict[str, str | int | None] = {
        "understudy": understudy.__version__,
        "platform": platform,
        "provider": options.docker_provider,
        "profile": options.profile,
        "bind": options.bind,
        "workers": options.workers,
    }
    return Surroundings(_named(wanted), contents(clone, origin), run)


def gather(
    prepared: PreparedSuite, shared: Surroundings, blueprint: Blueprint, tree: CommitTree, origin: Origin
) -> Inputs:
    """What the result of one suite depends on.

    Raises:
        UnderstudyError: something of it cannot be named for good, and the message says what.
    """
    suite = prepared.suite
    images = dict(shared.images)
    if suite.image:
        images["(suite)"] = images.get(suite.image) or _named({"(suite)": suite.image})["(suite)"]
    environment = prepared.environment or {}
    on_host = suite.runs_on == "host" and prepared.interpreter is not None
    return Inputs(
        suite=suite,
        clone=blueprint.clone,
        images=images,
        files=shared.files,
        read=read_by(suite, origin),
        pointers=tree.pointers,
        variables={name: value for name, value in environment.items() if name not in _NO_MATTER},
        interpreter=fingerprint(prepared.interpreter or "", environment) if on_host else {},
        run=shared.run,
    )


def read_by(suite: Suite, origin: Origin) -> dict[str, str]:
    """Path -> git id of what a suite's tests read: the whole commit, or its folder, its inputs and what stands above.

    Raises:
        UnderstudyError: an input is not in the commit.
    """
    if suite.inputs is None:
        whole = origin.repository.object_id(origin.treeish, "")
        return {"": whole or ""}
    named = [normal_path(origin.project_folder, path) for path in (suite.folder, *suite.inputs)]
    inside = [path for path in named if path is not None]
    above = [str(folder / name) for path in inside for folder in PurePosixPath(path, "x").parents for name in _ABOVE]
    found = dict(origin.repository.object_ids(origin.treeish, [*inside, *above]))
    for path, given in zip(named, (suite.folder, *suite.inputs), strict=True):
        if path is None or path not in found:
            raise UnderstudyError(f"{given}, which its tests read, is not in the commit")
    return found


def _named(wanted: Mapping[str, str]) -> dict[str, str]:
    """What runs -> what names its image for good, where `wanted` has a reference, a digest or an id.

    Raises:
        UnderstudyError: an image is not on the daemon.
    """
    fixed = {name: given for name, given in wanted.items() if "@sha256:" in given or given.startswith("sha256:")}
    open_ = {name: given for name, given in wanted.items() if name not in fixed}
    here = present(client(), filter(None, open_.values()))
    missing = sorted(name for name, given in open_.items() if given not in here)
    if missing:
        raise UnderstudyError(f"no image is here yet for {', '.join(missing)}")
    return {**fixed, **{name: here[given] for name, given in open_.items()}}
