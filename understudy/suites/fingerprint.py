"""What an interpreter is: its version, and every package that it has, by the hashes that pip wrote down of them."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping

from understudy.errors import UnderstudyError
from understudy.suites.interpreter import ask

__all__ = ["fingerprint"]

_PROBE = """
import hashlib, importlib.metadata, json, os, platform, sys, sysconfig
packages, loose = [], []
for found in importlib.metadata.distributions():
    name, record = found.metadata["Name"], found.read_text("RECORD")
    origin = json.loads(found.read_text("direct_url.json") or "{}")
    if (origin.get("dir_info") or {}).get("editable"):
        loose.append(str(name))
    packages.append([str(name), str(found.version), record or ""])
homes = [sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix, *sysconfig.get_paths().values()]
homes = [os.path.realpath(home) + os.sep for home in homes]
for place in filter(None, sys.path):
    if not (os.path.realpath(place) + os.sep).startswith(tuple(homes)):
        loose.append(place)
packages = hashlib.sha256(json.dumps(sorted(packages)).encode()).hexdigest()
machine = platform.system() + " " + platform.machine()
print(json.dumps({"version": sys.version, "machine": machine, "packages": packages, "loose": sorted(loose)}))
"""


def fingerprint(interpreter: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Path, version, machine, and one hash over the packages: names, versions, and each RECORD (PEP 376, PEP 427).

    A RECORD holds the hash of every file of its package, so that another build of the same version shows. What was
    changed in place after the installation does not.

    Raises:
        UnderstudyError: it does not answer, or has packages that are installed as a folder whose files may change.
    """
    if environment.get("PYTHONPATH"):
        raise UnderstudyError("PYTHONPATH names folders for its interpreter whose files may change")
    try:
        found = ask(interpreter, _PROBE, environment)
        loose = ", ".join(found.pop("loose"))
    except (OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
        raise UnderstudyError(f"{interpreter} was asked for its packages, and it failed: {error}") from error
    if loose:
        raise UnderstudyError(f"{interpreter} has packages that are folders whose files may change: {loose}")
    return {"path": interpreter, **{name: str(value) for name, value in found.items()}}
