"""Branches: whether that of a lease is gone from its repository, asked by `git ls-remote`; no answer is no answer."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from understudy.build.git_process import git_environment
from understudy.lease import Lease

__all__ = ["LIMIT", "branches_gone", "heads"]

LIMIT = 10.0
"""Seconds for one repository to list its branches."""

_PARALLEL = 8
"""Repositories asked at once."""

_MOST = 64
"""Repositories asked in one pass; of those beyond, nothing is known."""

_QUIET = {
    "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",  # a repository's name may not start a program (ext::)
    "GIT_ASKPASS": "true",
    "SSH_ASKPASS": "true",
    "GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oConnectTimeout=5",
}
_SETTINGS = ("credential.interactive=false", "protocol.version=2", "http.lowSpeedLimit=1", "http.lowSpeedTime=5")


def branches_gone(
    leases: Iterable[Lease], ask: Callable[[str], frozenset[str] | None] | None = None
) -> dict[str, bool | None]:
    """Environment -> whether its branch is gone; None where that is not known.

    A branch that was never pushed is not gone: only leases that a CI job has made count, whose checkout came from
    there, whoever used them since. Nor is a fork's, which never was in the repository.

    Args:
        leases: those that are asked about.
        ask: repository -> its branches, None without an answer; `heads` if it is None.
    """
    wanted = [lease for lease in leases if lease.branch and lease.repository and lease.pushed]
    repositories = list(dict.fromkeys(lease.repository for lease in wanted))[:_MOST]
    with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="branches") as pool:
        known = dict(zip(repositories, pool.map(ask or heads, repositories), strict=True))
    found: dict[str, bool | None] = {}
    for lease in wanted:
        there = known.get(lease.repository)
        found[lease.id] = None if there is None else lease.branch not in there
    return found


def heads(repository: str, limit: float = LIMIT) -> frozenset[str] | None:
    """The branches of a repository; None: it did not answer, in time or at all, or has none: no environment is of that.

    Nobody is asked for a password.
    """
    settings = [part for value in _SETTINGS for part in ("-c", value)]
    try:
        with tempfile.TemporaryDirectory(prefix="understudy-branches-") as folder:  # no repository's own settings count
            done = subprocess.run(
                ["git", *settings, "ls-remote", "--quiet", "--heads", "--", repository],
                cwd=folder,
                env=git_environment(os.environ) | _QUIET,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                timeout=limit,
                start_new_session=True,  # no terminal to ask on
            )
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    if done.returncode != 0:
        return None
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    return frozenset(line.partition("\trefs/heads/")[2] for line in lines if "\trefs/heads/" in line) or None
