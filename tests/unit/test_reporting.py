from __future__ import annotations

import json
from pathlib import Path

import pytest
from report_records import folder_of, shop

from understudy.errors import ExportError, NotFoundError, UsageError
from understudy.export.folder import RUNS
from understudy.export.runs import kept_runs
from understudy.options import Options
from understudy.reporting import run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = folder_of(shop(4, failing=1), tmp_path / RUNS)
    (tmp_path / RUNS / "latest").symlink_to(made.name)
    return made


@pytest.mark.parametrize("name", ["latest", "20251009T085320Z-e0shop", "understudy-runs/latest"])
def test_a_run_by_any_name_gets_its_page_anew(
    folder: Path, name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent.parent)

    assert run(Options(), folder.parent.parent, name, form="html", output="") == 0
    assert capsys.readouterr().out == f"{folder / 'report.html'}\n"
    assert "test_number_00003" in (folder / "report.html").read_text(encoding="utf-8")


def test_the_other_formats_and_places(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    here = folder.parent.parent

    assert run(Options(), here, "latest", form="json", output="") == 0
    assert json.loads(capsys.readouterr().out) == json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert run(Options(), here, "latest", form="html", output="-") == 0
    assert capsys.readouterr().out.startswith("<!DOCTYPE html>")
    assert run(Options(), here, "latest", form="markdown", output="summary.txt") == 0
    assert "### Understudy: tests failed" in (here / "summary.txt").read_text(encoding="utf-8")
    assert run(Options(), here, "latest", form="html", output="page.html") == 0
    assert f'href="understudy-runs/{folder.name}/junit.xml"' in (here / "page.html").read_text(encoding="utf-8")
    assert not (folder / "report.html").exists()


def test_what_cannot_be_had_is_an_error_that_says_so(folder: Path) -> None:
    here = folder.parent.parent

    with pytest.raises(NotFoundError, match="Looked for run 'gone'"):
        run(Options(), here, "gone", form="html", output="")
    with pytest.raises(ExportError, match="no-such-folder"):
        run(Options(), here, "latest", form="html", output="no-such-folder/page.html")
    with pytest.raises(UsageError, match="no-such-folder"):
        run(Options(), here, "latest", form="json", output="no-such-folder/run.json")
    (folder / "run.json").write_text('{"schema": 1}', encoding="utf-8")
    with pytest.raises(UsageError, match="version"):
        run(Options(), here, "latest", form="html", output="")


def test_a_record_behind_a_link_is_no_kept_run(folder: Path) -> None:
    other = folder.with_name("20990101T000000Z-planted")
    other.mkdir()
    (other / "run.json").symlink_to(folder / "run.json")

    assert [path for path, _ in kept_runs(folder.parent.parent)] == [folder]
