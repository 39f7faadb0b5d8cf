"""One comment on a pull request, written through the documented REST API: found, changed, limited, refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from forge import BOT, TOKEN, Forge, serving

from understudy.ci import rest
from understudy.ci.notes import GitHubNotes, GitLabNotes, put
from understudy.ci.pulls import forge_of
from understudy.ci.rest import ApiError, Rest
from understudy.cli import cli
from understudy.commenting import body_of
from understudy.diff.record import DifferenceRecord, DiffRecord, SideRecord
from understudy.errors import UnderstudyError, UsageError
from understudy.report import RunRecord, utc
from understudy.report.markdown import COMMENT_LIMIT

MARK = "<!-- understudy:comment:run -->"
HEAD = {"owner": "stranger", "ref": "topic/a&b", "sha": "a" * 40}


@pytest.fixture
def forge() -> Iterator[Forge]:
    with serving() as found:
        yield found


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were waited; nobody waits."""
    found: list[float] = []
    monkeypatch.setattr(rest, "sleep", found.append)
    return found


def api(forge: Forge, token: str = TOKEN) -> Rest:
    return Rest(forge.url, {"Authorization": f"Bearer {token}"}, hints={403: "a hint"})


def github(forge: Forge) -> GitHubNotes:
    return GitHubNotes(api(forge), "o/r", 7)


def test_the_first_time_it_is_written_and_then_changed_in_place(forge: Forge) -> None:
    forge.comment("somebody's", {"login": "a", "type": "User"})
    first = put(github(forge), MARK, f"{MARK}\none")
    second = put(github(forge), MARK, f"{MARK}\ntwo")
    assert (first.changed, second.changed) == (False, True)
    assert first.url == second.url == "https://github.example/o/r/pull/7#1001"
    assert forge.bodies == ["somebody's", f"{MARK}\ntwo"]


def test_it_is_found_on_a_later_page_and_the_address_of_that_page_is_not_followed(forge: Forge) -> None:
    for number in range(230):
        forge.comment(f"{number} {MARK}")
    forge.comment(f"{MARK}\nold")
    put(github(forge), MARK, f"{MARK}\nnew")
    assert forge.bodies[-1] == f"{MARK}\nnew"
    assert len(forge.comments) == 231


@pytest.mark.parametrize(
    ("user", "author"),
    [
        (None, {"login": "mallory", "type": "User"}),
        ({"login": "me"}, {"login": "mallory", "type": "User"}),
        ({"login": "me"}, BOT),
    ],
)
def test_what_somebody_else_wrote_under_our_mark_is_left_alone(
    forge: Forge, user: dict[str, str] | None, author: dict[str, str]
) -> None:
    forge.user = user
    forge.comment(f"{MARK}\nall is well", author)
    put(github(forge), MARK, f"{MARK}\nit failed")
    assert forge.bodies == [f"{MARK}\nall is well", f"{MARK}\nit failed"]


def test_what_fails_for_a_while_is_asked_again(forge: Forge, waits: list[float]) -> None:
    forge.comment(f"{MARK}\nold")
    forge.failures = {"GET": [(502, {}, ""), (503, {}, "")], "PATCH": [(500, {}, "")]}
    put(github(forge), MARK, f"{MARK}\nnew")
    assert forge.bodies == [f"{MARK}\nnew"]
    assert waits == [1, 2, 1]


def test_a_comment_that_was_written_before_the_failure_is_not_written_twice(forge: Forge, waits: list[float]) -> None:
    forge.writes_then_fails = 1
    posted = put(github(forge), MARK, f"{MARK}\none")
    assert forge.bodies == [f"{MARK}\none"]
    assert posted.changed
    assert waits == []


def test_a_comment_that_is_deleted_meanwhile_is_written_anew(forge: Forge) -> None:
    forge.comment(f"{MARK}\nold")
    forge.failures = {"PATCH": [(404, {}, "Not Found")]}
    put(github(forge), MARK, f"{MARK}\nnew")
    assert forge.requests[-1].startswith("PATCH")
    assert forge.bodies == [f"{MARK}\nnew"]


@pytest.mark.parametrize(
    ("status", "headers", "message", "wait"),
    [
        (429, {"Retry-After": "7"}, "", 7),
        (403, {"Retry-After": "3"}, "", 3),
        (403, {}, "You have exceeded a secondary rate limit.", 60),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "0"}, "", 1),
        (429, {}, "", 60),
    ],
)
def test_a_limit_is_waited_for(  # noqa: PLR0917 - a table
    forge: Forge, waits: list[float], status: int, headers: dict[str, str], message: str, wait: float
) -> None:
    forge.failures = {"POST": [(status, headers, message)]}
    put(github(forge), MARK, f"{MARK}\none")
    assert waits == [wait]
    assert forge.bodies == [f"{MARK}\none"]


def test_a_limit_that_lasts_too_long_is_said_at_once(forge: Forge, waits: list[float]) -> None:
    forge.failures = {"POST": [(429, {"Retry-After": "3600"}, "slow down")]}
    with pytest.raises(ApiError, match="429 Too Many Requests: slow down"):
        put(github(forge), MARK, f"{MARK}\none")
    assert waits == []


def test_patience_ends(forge: Forge, waits: list[float]) -> None:
    forge.failures = {"GET": [(503, {}, "")] * 50}
    with pytest.raises(ApiError, match="503"):
        github(forge)
    assert len(waits) == 4


def test_a_refusal_says_what_to_do_and_never_the_token(forge: Forge, waits: list[float]) -> None:
    forge.read_only = True
    with pytest.raises(ApiError, match=r"403 Forbidden: Resource not accessible by integration.\na hint") as caught:
        put(github(forge), MARK, f"{MARK}\none")
    assert caught.value.exit_code == 6
    assert TOKEN not in str(caught.value)
    forge.read_only = False
    with pytest.raises(ApiError, match="422"):
        put(github(forge), MARK, MARK + "x" * COMMENT_LIMIT)
    assert waits == []


@pytest.mark.parametrize("url", ["http://api.example", "file:///etc/passwd", "ftp://127.0.0.1", ""])
def test_a_token_is_sent_over_https_only(url: str) -> None:
    with pytest.raises(UsageError, match="HTTPS"):
        Rest(url, {"Authorization": "x"}, hints={})


def test_a_token_with_a_line_feed_is_refused_without_showing_it() -> None:
    with pytest.raises(UsageError) as caught:
        Rest("https://api.example", {"Authorization": "Bearer secret\nX: y"}, hints={})
    assert "secret" not in str(caught.value)


def test_nobody_there_is_an_error_and_no_traceback(waits: list[float]) -> None:
    with pytest.raises(ApiError, match="URLError"):
        Rest("http://127.0.0.1:1", {}, hints={}).get("/user")
    assert len(waits) == 4


def test_a_redirection_is_not_followed(forge: Forge) -> None:
    forge.failures = {"GET": [(301, {"Location": f"{forge.url}/user"}, "Moved")]}
    with pytest.raises(ApiError, match="301"):
        api(forge).get("/user")
    assert len(forge.requests) == 1


def test_gitlab_s_notes_likewise(forge: Forge) -> None:
    forge.user = {"id": 3}
    for number in range(120):
        forge.comment(f"{MARK} {number}", {"id": 4})
    notes = GitLabNotes(Rest(forge.url, {"PRIVATE-TOKEN": TOKEN}, hints={}), "5", 7)
    assert [put(notes, MARK, f"{MARK} {text}").changed for text in ("one", "two")] == [False, True]
    assert forge.bodies[120:] == [f"{MARK} two"]


# ---- which pull request


def variables(forge: Forge, tmp_path: Path, name: str, event: object) -> dict[str, str]:
    payload = tmp_path / "event.json"
    payload.write_text(json.dumps(event), encoding="utf-8")
    given = {"GITHUB_REPOSITORY": "o/r", "GITHUB_API_URL": forge.url, "GITHUB_TOKEN": TOKEN}
    return given | {"GITHUB_EVENT_NAME": name, "GITHUB_EVENT_PATH": str(payload)}


def workflow_run(sha: str = "a" * 40) -> dict[str, object]:
    head = {"head_branch": HEAD["ref"], "head_sha": sha, "head_repository": {"owner": {"login": HEAD["owner"]}}}
    return {"workflow_run": head | {"pull_requests": [], "html_url": "https://github.example/o/r/actions/runs/1"}}


def test_the_pull_request_is_that_of_the_event(forge: Forge, tmp_path: Path) -> None:
    given = variables(forge, tmp_path, "pull_request", {"pull_request": {"number": 7}})
    notes = forge_of(given)
    assert notes is not None
    put(notes, MARK, MARK)
    assert "POST /repos/o/r/issues/7/comments" in forge.requests


def test_a_stranger_s_pull_request_is_found_by_the_head_that_github_names(forge: Forge, tmp_path: Path) -> None:
    forge.pulls = [{"number": 6, "head": HEAD | {"sha": "b" * 40}}, {"number": 7, "head": HEAD}]
    notes = forge_of(variables(forge, tmp_path, "workflow_run", workflow_run()))
    assert notes is not None
    put(notes, MARK, MARK)
    assert forge.requests[-1] == "POST /repos/o/r/issues/7/comments"


def test_one_that_has_moved_on_gets_no_comment(forge: Forge, tmp_path: Path) -> None:
    forge.pulls = [{"number": 7, "head": HEAD}]
    assert forge_of(variables(forge, tmp_path, "workflow_run", workflow_run("c" * 40))) is None
    assert forge_of(variables(forge, tmp_path, "schedule", {})) is None


def test_a_push_finds_the_pull_request_of_its_branch(forge: Forge, tmp_path: Path) -> None:
    forge.pulls = [{"number": 7, "head": HEAD}]
    event = {"ref": f"refs/heads/{HEAD['ref']}", "after": HEAD["sha"], "repository": {"owner": {"login": "stranger"}}}
    assert forge_of(variables(forge, tmp_path, "push", event)) is not None


@pytest.mark.parametrize(
    "change",
    [
        {"GITHUB_TOKEN": ""},
        {"GITHUB_REPOSITORY": "../x"},
        {"GITHUB_EVENT_PATH": "/dev/zero"},
        {"GITHUB_REPOSITORY": ""},
    ],
)
def test_a_job_without_what_is_needed_says_so(forge: Forge, tmp_path: Path, change: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        forge_of(variables(forge, tmp_path, "pull_request", {"pull_request": {"number": 7}}) | change)


# ---- the command


def write_run(folder: Path, text: str = "topic", **more: object) -> Path:
    record = RunRecord("r1", "e1", "docker:x", "shop", "r", "compose.yaml", "a" * 40, text, "main", utc(1), **more)  # type: ignore[arg-type] # fields by name
    place = folder / "understudy-runs" / "r1"
    place.mkdir(parents=True)
    (place / "run.json").write_text(record.to_json(), encoding="utf-8")
    return place


def differences(count: int = 1) -> DiffRecord:
    found = tuple(DifferenceRecord(f"services.s{n}.image", f"services.s{n}", "a" * 300, "b") for n in range(count))
    return DiffRecord("topology", SideRecord("production", "main"), SideRecord("commit", "c"), "shop", True, 0, found)


def comment(given: dict[str, str], *arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(cli, ["comment", *arguments], env=given)
    if isinstance(done.exception, UnderstudyError):
        return done.exception.exit_code, str(done.exception)
    return done.exit_code, done.output


def test_the_command_writes_run_and_differences_of_their_records(
    forge: Forge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    place = write_run(tmp_path)
    (place / "diff.json").write_text(differences().to_json(), encoding="utf-8")
    (place / "summary.md").write_text("@all not this", encoding="utf-8")
    given = variables(forge, tmp_path, "pull_request", {"pull_request": {"number": 7}})
    assert comment(given, "r1") == (0, "comment written: https://github.example/o/r/pull/7#1000\n")
    assert comment(given, str(place)) == (0, "comment changed: https://github.example/o/r/pull/7#1000\n")
    (body,) = forge.bodies
    assert body.startswith("<!-- understudy:comment:run -->\n\n<!-- understudy:run:shop")
    assert "understudy:diff:topology" in body
    assert "@all" not in body
    said = json.loads(comment(given, "r1", "--key", "other", "--format", "json")[1])
    assert said == {"comment": "written", "url": "https://github.example/o/r/pull/7#1001"}


def test_what_is_no_record_is_never_written(forge: Forge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    place = write_run(tmp_path)
    given = variables(forge, tmp_path, "pull_request", {"pull_request": {"number": 7}})
    for text in ("", "[" * 100_000, '{"schema": 2, "run": ["@all"]}', '{"schema": 1e999}'):
        (place / "run.json").write_text(text, encoding="utf-8")
        assert comment(given, "r1")[0] == 2
    (place / "run.json").unlink()
    (place / "run.json").symlink_to(given["GITHUB_EVENT_PATH"])
    assert comment(given, "r1")[0] == 2
    assert forge.comments == []


def test_the_whole_fits_whatever_the_parts_are() -> None:
    record = RunRecord("r", "e", "t", "p", "", "", "", "", "", utc(0), warnings=("|" * 900,) * 400)
    body = body_of(record, differences(2000), mark=MARK, url="https://ci.example/1")
    assert len(body) <= COMMENT_LIMIT
    assert "understudy:diff" in body
    assert "[The run](https://ci.example/1)" in body
