"""`understudy topology show` beside `docker compose config`: the same data of every project, and the same refused.

No normalisation: both outputs are compared as data, types included; only the order of keys does not count.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from compose import oracle
from compose.cases import Case, Refusal, all_cases
from compose.oracle import Answer
from ruamel.yaml import YAML
from support import UNDERSTUDY

from understudy.cli import cli

pytestmark = pytest.mark.compose

CASES = all_cases()
TAKEN = [case for case in CASES if case.refused is None]
REFUSED = [(case, case.refused) for case in CASES if case.refused is not None]
THROUGH_THE_COMMAND = ("app-django", "app-monorepo", "interpolate-required")


def arguments(case: Case, form: str) -> list[str]:
    options = [word for name in case.env_files for word in ("--env-file", name)]
    options += [word for name in case.profiles for word in ("--compose-profile", name)]
    return ["topology", "show", *case.files, *options, "--format", form]


def theirs(case: Case, form: str = "") -> Answer:
    return oracle.config(
        case.folder,
        case.files,
        env_files=case.env_files,
        profiles=case.profiles,
        variables=case.variables,
        form=form or case.format,
    )


class Here:
    """Runs the command in this process, as if it were started in a folder with these variables only."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch

    def show(self, case: Case, form: str = "") -> Answer:
        variables = oracle.environment(case.variables)
        with self._patch.context() as patch:
            patch.chdir(case.folder)
            for name in list(os.environ):
                patch.delenv(name)
            for name, value in variables.items():
                patch.setenv(name, value)
            result = CliRunner().invoke(cli, arguments(case, form or case.format))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            code = getattr(result.exception, "exit_code", None)
            if code is None:
                raise result.exception
            return Answer(code, result.stdout, str(result.exception))
        return Answer(result.exit_code, result.stdout, result.stderr)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Here:
    return Here(monkeypatch)


def written(data: Any) -> str:
    """Data as text in which 1, 1.0 and true are three things, and the order of keys is none."""
    return json.dumps(data, sort_keys=True, indent=1, ensure_ascii=False)


def data(answer: Answer, form: str) -> Any:
    assert answer.code == 0, answer.err
    return json.loads(answer.out) if form == "json" else YAML(typ="safe", pure=True).load(answer.out)


@pytest.mark.parametrize("case", [case for case in TAKEN if case.format == "json"], ids=lambda case: case.name)
def test_the_same_document_is_printed(case: Case, here: Here) -> None:
    assert written(data(here.show(case), case.format)) == written(data(theirs(case), case.format))


@pytest.mark.parametrize(("case", "refusal"), REFUSED, ids=[case.name for case, _ in REFUSED])
def test_the_same_document_is_refused_with_its_place(case: Case, refusal: Refusal, here: Here) -> None:
    answer = theirs(case)
    assert answer.code != 0
    assert refusal.says in answer.err
    ours = here.show(case)
    assert ours.code == 2
    assert (f"{refusal.at}: {refusal.key}: " if refusal.key else refusal.at) in ours.err


@pytest.mark.parametrize("case", TAKEN, ids=lambda case: case.name)
def test_the_same_is_printed_as_yaml_and_reads_back_to_itself(case: Case, here: Here, tmp_path: Path) -> None:
    printed = here.show(case, "yaml")
    assert written(data(printed, "yaml")) == written(data(theirs(case, "yaml"), "yaml"))
    if case.reads_back:
        (tmp_path / "compose.yaml").write_text(printed.out, encoding="utf-8")
        again = here.show(replace(case, folder=tmp_path, files=("compose.yaml",), env_files=()), "yaml")
        assert written(data(again, "yaml")) == written(data(printed, "yaml"))


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.name in THROUGH_THE_COMMAND], ids=lambda case: case.name
)
def test_the_command_itself_says_the_same(case: Case, here: Here) -> None:
    done = subprocess.run(
        [UNDERSTUDY, *arguments(case, "json")],
        cwd=case.folder,
        env=oracle.environment(case.variables),
        capture_output=True,
        text=True,
        check=False,
    )
    ours = here.show(case, "json")
    assert done.returncode == ours.code
    if ours.code:
        assert json.loads(done.stdout)["error"]["exit_code"] == ours.code
    else:
        assert done.stdout == ours.out
    assert ours.err in done.stderr
