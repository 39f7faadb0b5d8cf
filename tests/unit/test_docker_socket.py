"""A call may take long while the daemon lives, and ends soon once that answers nothing at all."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from docker.errors import DockerException

from understudy.errors import ToolError
from understudy.targets import docker_socket
from understudy.targets.docker_client import connected

ANSWERS = {
    b"/_ping": b"OK",
    b"/version": b'{"ApiVersion": "1.41"}',
    b"/v1.41/info": b'{"ID": "one"}',
}


class Daemon:
    """Answers what docker-py asks first; `slow` seconds pass before `info`, and once it hangs, nothing is answered."""

    def __init__(self, path: Path) -> None:
        self.path, self.slow, self.hangs = path, 0.0, threading.Event()
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(str(path))
        self.listening.listen(50)
        self.open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                taken, _ = self.listening.accept()
            except OSError:
                return
            self.open.append(taken)
            threading.Thread(target=self._serve, args=(taken,), daemon=True).start()

    def _serve(self, taken: socket.socket) -> None:
        with contextlib.suppress(OSError):
            self._answer(taken)

    def _answer(self, taken: socket.socket) -> None:
        while said := taken.recv(65536):
            path = said.split()[1]
            path = b"/_ping" if path.endswith(b"_ping") else path
            if path.endswith(b"/info"):
                time.sleep(self.slow)
            if self.hangs.is_set():
                return
            body = ANSWERS[path]
            taken.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    def close(self) -> None:
        for each in (self.listening, *self.open):
            each.close()


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    made = Daemon(tmp_path / "d.sock")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{made.path}")
    monkeypatch.setattr(docker_socket, "SILENCE", 0.1)
    monkeypatch.setattr(docker_socket, "ANSWER", 0.5)
    monkeypatch.setattr(docker_socket, "DOUBT", 0.1)
    yield made
    made.close()


def test_a_call_that_takes_longer_than_the_silence_is_waited_for(daemon: Daemon) -> None:
    client = connected()
    daemon.slow = 1.0
    assert client.info() == {"ID": "one"}
    client.close()


@pytest.mark.parametrize("ask", [lambda client: client.info(), lambda client: next(client.events())])
def test_a_call_ends_soon_once_the_daemon_hangs(daemon: Daemon, ask: Callable[[object], object]) -> None:
    client = connected()
    daemon.hangs.set()
    with pytest.raises((OSError, DockerException), match="it hangs"):
        ask(client)
    client.close()


def test_a_daemon_that_hangs_is_said_to(daemon: Daemon) -> None:
    daemon.hangs.set()
    with pytest.raises(ToolError, match=r"d\.sock for an answer, and got none: no answer.*it hangs"):
        connected()


def test_once_it_hangs_no_call_waits_as_long_again_until_it_answers(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = connected()
    daemon.hangs.set()
    for limit in ("0.5", "0.1"):
        with pytest.raises((OSError, DockerException), match=f"ping within {limit} s"):
            client.info()
    daemon.hangs.clear()
    assert client.info() == {"ID": "one"}
    monkeypatch.setattr(docker_socket, "ANSWER", 0.7)
    daemon.hangs.set()
    with pytest.raises((OSError, DockerException), match=r"ping within 0\.7 s"):
        client.info()
    client.close()
