"""The command as a user starts it, a repository of its own, and what the daemon holds."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pytest

from understudy.lease import LeaseStore

ROOT = Path(__file__).resolve().parent.parent
UNDERSTUDY = str(Path(sys.executable).parent / "understudy")


def docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True).stdout


def inventory() -> dict[str, str]:
    """Everything of the daemon, labelled or not: its kind and id -> what tells a reader whose it is."""
    listings = (
        (("container", "ls", "-a"), "{{.ID}}\t{{.Names}} {{.Image}} {{.Labels}}"),
        (("network", "ls"), "{{.ID}}\t{{.Name}} {{.Labels}}"),
        (("volume", "ls"), "{{.Name}}\t{{.Labels}}"),
    )
    found = {}
    for words, shown in listings:
        for line in docker(*words, "--format", shown).splitlines():
            name, _, told = line.partition("\t")
            found[f"{words[0]} {name}"] = told
    return found


def labelled(key: str, value: str) -> list[str]:
    """Everything of the daemon that carries this label of ours."""
    label = f"label=dev.understudy.{key}={value}"
    listings = (("ps", "-aq"), ("network", "ls", "-q"), ("volume", "ls", "-q"))
    return [name for listing in listings for name in docker(*listing, "--filter", label).split()]


def begun(process: subprocess.Popen[str], phase: str, state: str = "started", subject: str = "") -> None:
    """Return when a command with `--progress json` says that it has come so far."""
    assert process.stdout is not None
    said: list[str] = []
    for line in process.stdout:
        said.append(line)
        event = json.loads(line) if line.startswith("{") else {}
        if (event.get("phase"), event.get("state")) == (phase, state) and event.get("subject", "").startswith(subject):
            return
    raise AssertionError("".join(said))


@dataclass
class Done:
    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


@dataclass
class Project:
    """A git repository with a topology, and a state folder of its own."""

    root: Path
    folder: Path
    env: dict[str, str] = field(default_factory=dict)

    def git(self, *arguments: str) -> str:
        who = ("-c", "user.name=A. Developer", "-c", "user.email=dev@example.invalid", "-c", "commit.gpgsign=false")
        done = subprocess.run(
            ["git", *who, *arguments], cwd=self.root, env=self.env, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def commit(self, message: str) -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD")

    def understudy(self, *arguments: str, env: dict[str, str] | None = None, limit: float = 300) -> Done:
        done = subprocess.run(
            [UNDERSTUDY, *arguments],
            cwd=self.folder,
            env=self.env | (env or {}),
            capture_output=True,
            text=True,
            timeout=limit,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [UNDERSTUDY, *arguments],
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def leases(self) -> list[dict[str, object]]:
        """The leases of its backend, read here: a command takes a second of a processor, and tests ask in loops."""
        store = LeaseStore.beside(f"file://{self.env['XDG_STATE_HOME']}/understudy/backend")
        return [asdict(lease) for lease in store.list()[0]]

    def listed(self) -> list[dict[str, object]]:
        """What `understudy list` shows, which closes leases of environments that `pulumi destroy` removed."""
        done = self.understudy("list", "--format", "json")
        assert done.code == 0, done.text
        found = json.loads(done.out)["environments"]
        assert isinstance(found, list)
        return found

    def latest(self) -> Path:
        return (self.folder / "understudy-runs" / "latest").resolve()

    def record(self) -> dict[str, object]:
        found = json.loads((self.latest() / "run.json").read_text(encoding="utf-8"))
        assert isinstance(found, dict)
        return found


def make_project(root: Path, state: Path, folder: str = ".") -> Project:
    """An empty repository."""
    root.mkdir(parents=True, exist_ok=True)
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "PULUMI_"))}
    env = kept | {
        "XDG_STATE_HOME": str(state),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        "NO_COLOR": "1",
    }
    project = Project(root, root / folder, env)
    project.git("init", "-q", "-b", "main")
    return project


def in_process(project: Project, *arguments: str) -> Done:
    """The command in this process: Python's start and its imports cost more than most commands do."""
    from understudy.cli import main

    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        for name in os.environ.keys() - project.env.keys():
            patch.delenv(name)
        for name, value in project.env.items():
            patch.setenv(name, value)
        patch.chdir(project.folder)
        patch.setattr(sys, "argv", ["understudy", *arguments])
        patch.setattr("understudy.cli.alone", lambda: None)  # it is for a process that ends with its command
        with pytest.raises(SystemExit) as ended:
            main()
    said = [stream.buffer.getvalue().decode() for stream in (out, err)]  # type: ignore[attr-defined]  # of a BytesIO
    return Done(int(ended.value.code or 0), *said)


def wait_for(condition: Callable[[], bool], limit: float = 60, what: str = "the condition") -> None:
    """Look until it holds; a look that costs much is taken seldom, so that it keeps nothing from what is waited for."""
    end = time.monotonic() + limit
    while True:
        began = time.monotonic()
        if condition():
            return
        assert time.monotonic() < end, f"waited {limit} s for {what}"
        time.sleep(min(max(0.05, 2 * (time.monotonic() - began)), 1.0))
