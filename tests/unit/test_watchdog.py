"""The watchdog's own process, with owners that die and last commands that do no harm."""

from __future__ import annotations

import fcntl
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from support import wait_for

from understudy.watchdog import Guard, guarded, process
from understudy.watchdog.outliving import ended_with
from understudy.watchdog.place import connect, place, socket_name

OWNER = """
import os, subprocess, sys
from pathlib import Path
from understudy.groups import group
from understudy.watchdog import guarded

state, last, act = sys.argv[1:]
limit = float(os.environ.get("OWNERS_LIMIT", "300"))
with guarded(["/bin/sh", "-c", last], state=Path(state), limit=limit, warn=print) as guard:
    exec(act)
    print("ready", flush=True)
    sys.stdin.read()
"""


class World:
    """A state folder, owners that are processes of their own, and a file that their last commands write to."""

    def __init__(self, state: Path) -> None:
        self.state, self.told = state, state / "told"
        self.owners: list[subprocess.Popen[str]] = []

    def owner(self, word: str, act: str = "pass", **env: str) -> subprocess.Popen[str]:
        """An owner whose last command adds a word to the file; `act` is what it does once it is guarded."""
        last = word if " " in word else f"echo {word} >> {self.told}"
        owner = subprocess.Popen(
            [sys.executable, "-c", OWNER, str(self.state), last, act],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **env},
            start_new_session=True,
        )
        self.owners.append(owner)
        assert owner.stdout is not None
        assert owner.stdout.readline() == "ready\n"
        return owner

    def words(self) -> list[str]:
        return self.told.read_text().split() if self.told.exists() else []

    def await_word(self, word: str) -> None:
        wait_for(lambda: word in self.words(), what=f"the last command that says {word}")

    def watchdogs(self) -> list[int]:
        """The processes of this state folder's watchdog."""
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_bytes().split(b"\0")
            except OSError:
                continue
            if os.fsencode(place(self.state)) in words:
                found.append(int(path.parent.name))
        return found


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    for owner in made.owners:
        owner.kill()
        owner.communicate()
    for pid in made.watchdogs():
        with suppress(ProcessLookupError):  # it ended just now
            os.kill(pid, signal.SIGKILL)


def test_an_owner_that_dies_is_finished_whatever_its_group_gets(world: World) -> None:
    owner = world.owner("done")
    os.killpg(owner.pid, signal.SIGKILL)
    world.await_word("done")


def test_a_last_command_that_overruns_its_owner_s_limit_is_ended_and_tried_again(world: World) -> None:
    world.owner(f"echo again >> {world.told}; sleep 10", OWNERS_LIMIT="1").kill()
    wait_for(lambda: world.words()[1:] != [], what="the second run")


def test_an_owner_that_was_released_is_not_nor_is_one_that_lives(world: World) -> None:
    world.owner("alive")
    released = world.owner("released", "guard.release()")
    other = world.owner("other")
    released.kill()
    released.wait()
    other.kill()
    world.await_word("other")
    assert world.words() == ["other"]
    assert len(world.watchdogs()) == 1


def test_it_ends_when_nobody_is_left_and_leaves_its_log_alone(world: World) -> None:
    world.owner("done").kill()
    world.await_word("done")
    wait_for(lambda: not world.watchdogs(), what="its end")
    assert [path.name for path in place(world.state).iterdir()] == ["log"]
    assert (place(world.state) / "log").stat().st_mode & 0o777 == 0o600


def test_no_owner_is_lost_to_one_that_is_ending(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hasty = tmp_path / "hasty.py"
    hasty.write_text(Path(process.__file__).read_text().replace("\nLINGER = 5.0", "\nLINGER = 0.02"))
    assert "LINGER = 0.02" in hasty.read_text()
    monkeypatch.setattr(process, "__file__", str(hasty))
    for number in range(25):
        with guarded(["/bin/true"], state=world.state) as guard:
            assert guard.confirm(), number
            guard.release()
        time.sleep(0.002 * number)  # from the middle of its life to long after its end


def test_one_that_takes_connections_and_hears_nobody_is_not_taken_for_there(world: World) -> None:
    folder = place(world.state)
    folder.mkdir(mode=0o700)
    name = folder / socket_name()
    ending = socket.socket(socket.AF_UNIX)
    ending.bind(f"{name}.sock")
    ending.listen()
    lock = os.open(f"{name}.lock", os.O_CREAT | os.O_RDWR)

    def end() -> None:
        connection, _ = ending.accept()
        Path(f"{name}.sock").unlink()
        connection.close()
        ending.close()
        Path(f"{name}.lock").unlink()
        os.close(lock)

    fcntl.flock(lock, fcntl.LOCK_EX)
    thread = threading.Thread(target=end)
    thread.start()
    connect(world.state, b'{"verb": "release", "number": 0}\n').close()
    thread.join()
    assert world.watchdogs() != []


def test_a_watchdog_that_was_killed_is_replaced_and_knows_its_owners(world: World) -> None:
    owner = world.owner("done")
    (first,) = world.watchdogs()
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: world.watchdogs() not in ([], [first]), what="another watchdog")
    wait_for(lambda: Path(f"{place(world.state) / socket_name()}.sock").exists(), what="its socket")
    other = world.owner("other")
    other.kill()
    world.await_word("other")
    owner.kill()
    world.await_word("done")


def test_signals_that_clean_a_job_up_do_not_end_it(world: World) -> None:
    owner = world.owner("done")
    (watchdog,) = world.watchdogs()
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        os.kill(watchdog, number)
    owner.kill()
    world.await_word("done")
    assert world.watchdogs() == [watchdog]


def test_what_fails_is_run_again(world: World) -> None:
    flag = world.state / "flag"
    world.owner(f"test -e {flag} && echo done >> {world.told} || {{ touch {flag}; exit 3; }}").kill()
    world.await_word("done")
    assert "exit code 3" in (place(world.state) / "log").read_text()


def test_a_machine_that_has_nothing_left_to_give_is_asked_again(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No thread, no file, no process: what a dead owner has left is done once there is one again."""
    refused = []

    def once(real: Callable[..., Any], error: Exception) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            if real not in refused:
                refused.append(real)
                raise error
            return real(*arguments, **named)

        return call

    here, there = socket.socketpair()
    listener = process.listen(str(tmp_path / "sock"))
    dog = process.Watchdog(listener, str(tmp_path / "sock"), process.Log(str(tmp_path / "log")))
    owner = process.Owner(here, 1)
    owner.argv = ["/bin/sh", "-c", f"echo done >> {world.told}"]
    dog._owners.add(owner)
    dog._selector.register(here, selectors.EVENT_READ, owner)
    monkeypatch.setattr(process, "PAUSES", (0.01,))
    monkeypatch.setattr(process, "LINGER", 0.1)
    monkeypatch.setattr(threading.Thread, "start", once(threading.Thread.start, RuntimeError("can't start new thread")))
    monkeypatch.setattr(os, "memfd_create", once(os.memfd_create, OSError(24, "Too many open files")))
    there.close()
    dog.run()
    assert world.words() == ["done"]
    assert len(refused) == 2


CHILD = """
child = subprocess.Popen(["/bin/sh", "-c", {script!r}], start_new_session=True)
running = group(child.pid)
running.__enter__()
Path({told!r}).write_text(str(child.pid))
"""


def child_of(world: World, script: str, then: str = "") -> tuple[subprocess.Popen[str], int]:
    """An owner with a child that leads a group of its own; `then` is what the owner does afterwards."""
    pid = world.state / "child"
    owner = world.owner("done", CHILD.format(script=script, told=str(pid)) + then)
    return owner, int(pid.read_text())


def test_children_are_ended_before_with_all_of_their_group(world: World) -> None:
    ready = world.state / "ready"
    owner, child = child_of(world, f"trap '' TERM; sleep 30 & echo $! > {ready}.new; mv {ready}.new {ready}; wait")
    wait_for(ready.exists, what="the child's own child")
    grandchild = int(ready.read_text())
    owner.kill()
    world.await_word("done")
    assert process.start_time(child) == process.start_time(grandchild) == 0


def test_a_process_that_has_a_childs_pid_by_now_is_left_alone(world: World) -> None:
    owner, child = child_of(world, "sleep 600", "guard._children[child.pid] += 1; assert guard.confirm()")
    try:
        owner.kill()
        world.await_word("done")
        assert process.start_time(child) != 0
    finally:
        os.killpg(child, signal.SIGKILL)


def test_a_child_that_has_ended_is_forgotten(world: World) -> None:
    owner, _ = child_of(world, "exit 0", "child.wait(); running.__exit__(None, None, None); assert guard.confirm()")
    owner.kill()
    world.await_word("done")
    assert "it has left []" in (place(world.state) / "log").read_text()


def test_what_runners_hunt_by_is_taken_out_and_the_rest_is_on_no_command_line(world: World) -> None:
    hunted = {"RUNNER_TRACKING_ID": "github_1", "JENKINS_NODE_COOKIE": "jenkins_1", "BUILD_ID": "7"}
    owner = world.owner(f"env > {world.told}", OWNED="canary", **hunted)
    for pid in world.watchdogs():
        assert b"canary" not in Path(f"/proc/{pid}/cmdline").read_bytes()
        assert b"_1" not in Path(f"/proc/{pid}/environ").read_bytes()
    owner.kill()
    wait_for(lambda: "OWNED=canary" in world.words(), what="the last command's environment")
    assert not {word.partition("=")[0] for word in world.words()} & set(hunted)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_another_user_is_refused_even_where_it_could_connect(world: World) -> None:
    world.owner("mine")
    folder = place(world.state)
    path = folder / f"{socket_name()}.sock"
    assert (folder.stat().st_mode & 0o777, path.stat().st_mode & 0o777) == (0o700, 0o700)
    for each in (*path.parents[:-1], path):
        each.chmod(0o777)
    script = (
        "import json, os, socket, sys\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])\n"
        "s.sendall(json.dumps({'verb': 'own', 'number': 0, 'argv': ['/bin/sh', '-c', sys.argv[2]], 'env': {},"
        " 'children': []}).encode() + b'\\n')\n"
        "print(s.recv(100))\n"
    )
    said = subprocess.run(
        [sys.executable, "-I", "-c", script, str(path), f"echo hostile >> {world.told}"],
        capture_output=True,
        text=True,
        check=False,
    )
    refused = said.stdout == "b''\n" or "ConnectionResetError" in said.stderr or "BrokenPipeError" in said.stderr
    assert refused, (said.stdout, said.stderr)
    assert "of user 65534" in (folder / "log").read_text()


@pytest.mark.parametrize("spoil", [lambda path: path.write_text(""), lambda path: path.mkdir(mode=0o777)])
def test_where_none_can_be_had_the_work_goes_on_with_a_warning(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    spoil(tmp_path / "watchdog")
    (tmp_path / "watchdog").chmod(0o777)
    said: list[str] = []
    with Guard(["/bin/true"], {}, state=tmp_path, warn=said.append) as guard:
        assert not guard.there
        assert not guard.confirm()
        guard.release()
    (line,) = said
    assert line.startswith("no watchdog: ")


FIRST = "pid:[4026531836]"


@pytest.mark.parametrize(
    ("namespace", "cgroups", "why"),
    [
        (FIRST, "0::/\n", ""),
        (FIRST, "0::/user.slice/user-0.slice/user@0.service/app.slice/run.scope\n", ""),
        ("pid:[4026532271]", "0::/\n", "this container"),
        (FIRST, "0::/system.slice/actions.runner.acme.service\n", "the service actions.runner.acme.service"),
        (FIRST, "1:name=systemd:/system.slice/gitlab-runner.service/job\n0::/\n", "the service gitlab-runner.service"),
        (FIRST, "0::/user.slice/user-0.slice/session-3.scope\n", "the login session-3.scope"),
    ],
)
def test_what_ends_it_with_the_command_is_known(namespace: str, cgroups: str, why: str) -> None:
    found = ended_with(namespace, cgroups)
    assert found.startswith(why)
    assert bool(found) == bool(why)
