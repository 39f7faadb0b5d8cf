"""The templates of a schedule: systemd's own linter and a cron parser take them, and the commands in them are ours."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from datetime import UTC, datetime
from itertools import islice, pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner
from cronsim import CronSim

from understudy.cli import cli

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "ci" / "schedule"
UNITS = sorted(path.name for path in FOLDER.iterdir() if path.suffix in {".service", ".timer"})
INSTALLED = "/opt/understudy/bin/understudy"


def unit(name: str) -> dict[str, dict[str, list[str]]]:
    """A unit file as systemd.syntax(7) has it: keys may come again, `;` and `#` begin comments."""
    found: dict[str, dict[str, list[str]]] = {}
    section: dict[str, list[str]] = {}
    for line in (FOLDER / name).read_text(encoding="utf-8").splitlines():
        if not line or line[0] in "#;":
            continue
        if head := re.fullmatch(r"\[(\w+)\]", line):
            section = found.setdefault(head[1], {})
            continue
        key, mark, value = line.partition("=")
        assert mark, f"{name}: {line}"
        assert re.fullmatch(r"[A-Z][A-Za-z]+", key), f"{name}: {line}"
        section.setdefault(key, []).append(value)
    return found


def commands() -> list[list[str]]:
    given = [shlex.split(line) for name in UNITS for line in unit(name).get("Service", {}).get("ExecStart", ())]
    lines = [line.split(maxsplit=5)[5] for line in entries()]
    return given + [shlex.split(line[line.index("understudy reap") :]) for line in lines]


def entries() -> list[str]:
    lines = (FOLDER / "crontab").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#") and not re.match(r"[A-Z]+=", line)]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze on PATH")
def test_systemd_takes_every_unit(tmp_path: Path) -> None:
    for name in UNITS:
        text = (FOLDER / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(text.replace(INSTALLED, "/bin/true"), encoding="utf-8")
    paths = [str(tmp_path / name) for name in UNITS]
    done = subprocess.run(["systemd-analyze", "verify", *paths], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_unit_has_the_sections_that_it_needs() -> None:
    assert UNITS == ["understudy-reap.service", "understudy-reap.timer", "understudy-reaper.service"]
    for name in UNITS:
        kind = name.rpartition(".")[2].capitalize()
        assert {"Unit", kind} <= set(unit(name)) <= {"Unit", kind, "Install"}
    timer = unit("understudy-reap.timer")
    assert timer["Timer"]["Unit"] == ["understudy-reap.service"]
    assert timer["Install"]["WantedBy"] == ["timers.target"]
    assert "RandomizedDelaySec" not in timer["Timer"]


def test_the_commands_are_ones_that_we_have() -> None:
    assert len(commands()) == 3
    for program, name, *options in commands():
        assert Path(program).name == "understudy"
        assert name == "reap"
        assert "--yes" in options
        done = CliRunner().invoke(cli, [name, *options, "--forget-target", "a", "--forget-stack", "b"])
        assert "each give up one thing" in str(done.exception), done.output  # parsed, and refused for these two only


def test_the_crontab_fires_four_times_an_hour() -> None:
    assert len(entries()) == 1
    fields = " ".join(entries()[0].split()[:5])
    moments = list(islice(CronSim(fields, datetime(2026, 1, 1, tzinfo=UTC)), 8))
    assert len({later - sooner for sooner, later in pairwise(moments)}) == 1
    assert (moments[4] - moments[0]).total_seconds() == 3600
    assert all(moment.minute % 5 for moment in moments), "a minute that everybody takes"
    assert "%" not in entries()[0], "cron makes a line feed of it"


def test_the_page_names_every_template() -> None:
    page = (ROOT / "docs" / "schedule.md").read_text(encoding="utf-8")
    for path in FOLDER.iterdir():
        assert path.name in page, path.name
