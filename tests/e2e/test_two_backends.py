"""Two backends on one daemon that come to the same environment: as two users who run `up` on the same branch."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support import Project, labelled

pytestmark = [pytest.mark.docker, pytest.mark.pulumi, pytest.mark.images]

WEB = """\
services:
  web:
    image: busybox:1.35
    command: [sh, -c, "echo hello > /index.html; httpd -f -p 8080 -h /"]
    ports: ["8080"]
    volumes: ["data:/data"]
volumes: {data: {}}
"""


def answer(made: Any) -> str:
    (web,) = made["endpoints"]
    with urllib.request.urlopen(f"{web['url']}/", timeout=10) as page:  # noqa: S310 - an address of our own relay
        return str(page.read().decode())


def test_neither_takes_what_the_other_made(small: Callable[[str], Project], tmp_path: Path) -> None:
    one = small(WEB)
    two = replace(one, env={**one.env, "XDG_STATE_HOME": str(tmp_path / "another")})
    with ThreadPoolExecutor(2) as both:
        ended = list(both.map(lambda user: user.understudy("up", "--format", "json"), (one, two)))
    won = [user for user, done in zip((one, two), ended, strict=True) if done.code == 0]
    assert len(won) <= 1, ended
    for done in ended:
        assert done.code in {0, 3, 7}, done.text
        assert done.code == 0 or ("another backend" in done.text and "--name" in done.text), done.text
    if not won:  # each had made something that the other needed, and both gave theirs back
        won, ended = [one], [one.understudy("up", "--format", "json")]
    winner, loser = won[0], two if won[0] is one else one
    made = json.loads(next(done.out for done in ended if done.code == 0))
    environment = made["environment"]
    (lease,) = winner.leases()
    backend = str(lease["backend_id"])
    mine = labelled("environment", environment)
    assert (answer(made), loser.leases()) == ("hello\n", [])
    assert sorted(mine) == sorted(set(mine) & set(labelled("backend", backend)))

    refused = loser.understudy("up")
    assert refused.code == 7, refused.text
    assert f"made by another backend, {backend}" in refused.text
    assert loser.understudy("down", environment).code == 7
    said = json.loads(loser.understudy("reap", "--format", "json").out)["verdicts"]
    assert [(each["kind"], each["backend"]) for each in said if each["name"] == environment] == [("keep", backend)]
    assert (answer(made), labelled("environment", environment)) == ("hello\n", mine)

    beside = loser.understudy("up", "--name", "mine", "--format", "json")
    assert beside.code == 0, beside.text
    other = json.loads(beside.out)
    assert loser.understudy("down", other["environment"]).code == 0
    assert (answer(made), labelled("environment", environment)) == ("hello\n", mine)
    done = winner.understudy("down", environment)
    assert done.code == 0, done.text
