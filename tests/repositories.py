"""Git repositories as users have them, made for a test, and what they are byte for byte."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
from pathlib import Path

COMPOSE = "services:\n  web:\n    build: web\n    ports: ['8080']\n"


class Repo:
    """A repository that a test acts on as its owner."""

    def __init__(self, folder: Path, *options: str, bare: bool = False) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / ".git").exists() and not bare:
            self.git("init", "--quiet", "--initial-branch=main", *options)

    def git(self, *arguments: str, env: dict[str, str] | None = None) -> str:
        settings = ("user.name=A", "user.email=a@b.example", "protocol.file.allow=always", "commit.gpgsign=false")
        given = [part for each in settings for part in ("-c", each)]
        kept = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        fixed = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        done = subprocess.run(
            ["git", *given, *arguments],
            cwd=self.folder,
            env=kept | fixed | (env or {}),
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, f"git {arguments}: {done.stderr.decode(errors='replace')}"
        return os.fsdecode(done.stdout).strip()

    def write(self, files: dict[str, str | bytes]) -> None:
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def commit(self, files: dict[str, str | bytes] | None = None) -> str:
        """Write files, commit all there is, and give the commit's hash."""
        self.write(files or {})
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message=x")
        return self.git("rev-parse", "HEAD")

    def clone(self, folder: Path, *options: str, bare: bool = False) -> Repo:
        self.git("clone", "--quiet", *options, f"file://{self.folder}", str(folder))
        return Repo(folder, bare=bare)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below: its path and content; of a link, where it points to."""
    return {
        str(path.relative_to(folder)): os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def fingerprint(folder: Path) -> dict[str, tuple[int, int, str]]:
    """Every file and folder below, `.git` too: mode, time of the last change (ns), hash of the content."""
    found = {}
    for path in sorted([folder, *folder.rglob("*")]):
        seen = path.lstat()
        content = ""
        if stat.S_ISREG(seen.st_mode):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        elif stat.S_ISLNK(seen.st_mode):
            content = str(path.readlink())
        found[str(path.relative_to(folder))] = (seen.st_mode, seen.st_mtime_ns, content)
    return found
