"""A real PostgreSQL in the place of a shared instance: its administrator is no superuser, as RDS's is not."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

from engine.stages import wait_until
from support import docker

__all__ = ["ADMIN", "IMAGE", "OTHERS", "Instance", "instance"]

IMAGE = "postgres:15"

ADMIN = {"username": "admin", "password": "a"}

OTHERS = {"golden", "postgres", "template0", "template1"}
"""The databases that are there before any environment's."""

_NAMES = """
SELECT datname FROM pg_database
UNION ALL SELECT rolname FROM pg_roles WHERE rolcanlogin AND rolname NOT IN ('admin', 'postgres')
"""


@dataclass(frozen=True)
class Instance:
    """A container with an administrator, and a database `golden` of his that is empty."""

    container: str

    def run(self, text: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run SQL in the instance by psql, as the administrator unless `variables` say another."""
        who = {"PGUSER": ADMIN["username"], "PGPASSWORD": ADMIN["password"]}
        given = {"PGHOST": "127.0.0.1", "PGDATABASE": "postgres", **who, **variables}
        options = [word for key, value in given.items() for word in ("--env", f"{key}={value}")]
        psql = ["docker", "exec", "--interactive", *options, self.container, "psql", "--no-psqlrc", "--quiet", "-At"]
        return subprocess.run(psql, input=text, capture_output=True, text=True, check=False)

    def names(self) -> set[str]:
        """All databases, and all roles that may log in but the administrators."""
        done = self.run(_NAMES)
        assert done.returncode == 0, done.stderr
        return set(done.stdout.split())

    @property
    def address(self) -> str:
        """Its address in its network."""
        shown = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        return docker("inspect", self.container, "--format", shown).strip()


@contextlib.contextmanager
def instance(network: str) -> Iterator[Instance]:
    """One that is gone afterwards, in a network of Docker's."""
    started = ("run", "--detach", "--rm", "--network", network, "--env", "POSTGRES_PASSWORD=x", IMAGE)
    made = Instance(docker(*started).strip())
    try:
        first = {"PGUSER": "postgres", "PGPASSWORD": "x"}
        wait_until(lambda: made.run("SELECT 1", **first).returncode == 0)
        role = f"CREATE ROLE {ADMIN['username']} LOGIN CREATEDB CREATEROLE PASSWORD '{ADMIN['password']}'"
        assert made.run(f"{role}; CREATE DATABASE golden OWNER admin", **first).stderr == ""
        yield made
    finally:
        docker("rm", "--force", "--volumes", made.container)
