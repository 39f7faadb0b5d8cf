"""`understudy run` with suites in containers, twice at the same time in one folder."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from support import Project, labelled

pytestmark = [pytest.mark.docker, pytest.mark.pulumi, pytest.mark.images]

COMPOSE = """
name: {name}
services:
  db:
    image: busybox:1.35
    command: [sh, -c, "mkdir /www && echo $$ANSWER > /www/index.html && exec httpd -f -p 5432 -h /www"]
    environment: {{ANSWER: hello}}
    expose: [5432]
    networks: [back]
  tools:
    build: {{context: tools}}
    command: [sleep, "600"]
    networks: [back]
networks: {{back: {{}}}}
x-understudy:
  tests:
    inside: {{command: [sh, check.sh], folder: tests, image: tools, runs_on: network, timeout: 60}}
"""
CHECK = """
set -e
[ "$UNDERSTUDY_DB_5432_HOST:$UNDERSTUDY_DB_5432_PORT" = db:5432 ]
[ "$(wget -q -O - "http://db:5432/")" = hello ]
grep -q tooled /made
"""


def test_two_runs_at_once_test_on_their_own_networks(small: Callable[[str], Project]) -> None:
    project = small("services: {db: {image: busybox:1.35}}")
    (project.folder / "compose.yaml").write_text(COMPOSE.format(name=project.root.name), encoding="utf-8")
    for folder in ("tools", "tests"):
        (project.folder / folder).mkdir()
    (project.folder / "tools" / "Dockerfile").write_text("FROM busybox:1.35\nRUN echo tooled > /made\n")
    (project.folder / "tests" / "check.sh").write_text(CHECK)
    project.commit("Test on the network")

    runs = [project.start("run") for _ in range(2)]
    told = [run.communicate(timeout=300)[0] for run in runs]

    assert [run.returncode for run in runs] == [0, 0], told
    folders = [path for path in (project.folder / "understudy-runs").iterdir() if path.name != ".gitignore"]
    records = [json.loads((path / "run.json").read_text()) for path in folders if not path.is_symlink()]
    assert len(records) == 2
    assert len({record["environment"] for record in records}) == 2
    for record in records:
        assert [suite["status"] for suite in record["suites"]] == ["passed"]
        assert [(suite["where"], suite["image"]) for suite in record["suites"]] == [("network", "tools")]
        assert record["receipt"]["outcome"] == "CLEAN"
        assert labelled("environment", record["environment"]) == []
    assert (project.folder / "understudy-runs" / "latest").resolve() in folders
