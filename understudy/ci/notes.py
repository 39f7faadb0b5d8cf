"""One comment on a pull request: found again by its mark and its author, changed where it is, else written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from understudy.ci.rest import ApiError, Reply, Rest

__all__ = ["GitHubNotes", "GitLabNotes", "Note", "Notes", "Posted", "put"]

_PAGE = 100
_MOST_PAGES = 100
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Note:
    """A comment that is there."""

    id: int
    body: str
    mine: bool


@dataclass(frozen=True, slots=True)
class Posted:
    """What became of it: whether there was one before, and where it is."""

    changed: bool
    url: str


class Notes(Protocol):
    """The comments of one pull request."""

    def all(self) -> Iterator[Note]:
        """Every comment, oldest first."""

    def create(self, body: str) -> str:
        """Write a new one and return its URL."""

    def change(self, note: int, body: str) -> str:
        """Replace the text of one and return its URL."""


def put(notes: Notes, mark: str, body: str) -> Posted:
    """Change our comment that begins with `mark`, or write it.

    Where writing fails in a way that leaves open whether it happened, the comments are looked through again first.

    Raises:
        ApiError: the service refuses, or fails for too long.
    """
    for attempt in range(_TRIES):
        known = next((note.id for note in notes.all() if note.mine and note.body.startswith(mark)), None)
        try:
            if known is not None:
                return Posted(changed=True, url=notes.change(known, body))
            return Posted(changed=False, url=notes.create(body))
        except ApiError as error:
            gone = known is not None and error.status == 404  # noqa: PLR2004 - it was deleted meanwhile
            open_ = known is None and (error.status == 0 or error.status >= 500)  # noqa: PLR2004 - server errors
            if attempt + 1 == _TRIES or not (gone or open_):
                raise
    raise AssertionError(mark)


class GitHubNotes:
    """The comments of a pull request on GitHub, which are those of its issue (REST API, "Issue comments")."""

    def __init__(self, api: Rest, repository: str, number: int) -> None:
        self._api = api
        self._below = f"/repos/{repository}/issues"
        self._number = number
        self._login = self._me()

    def _me(self) -> str:
        """The token's user; empty for the token of a job, which is an app's and may not ask."""
        try:
            return _text(self._api.get("/user"), "login")
        except ApiError as error:
            if error.status in {401, 403, 404}:
                return ""
            raise

    def all(self) -> Iterator[Note]:
        """Every comment. Ours are those of the token's user; where that is not known, those of bots."""
        for item in _pages(self._api, f"{self._below}/{self._number}/comments", _github_goes_on):
            user = item.get("user")
            user = user if isinstance(user, dict) else {}
            mine = user.get("login") == self._login if self._login else user.get("type") == "Bot"
            yield from _note(item, mine=mine)

    def create(self, body: str) -> str:
        """Write a new one."""
        return _text(self._api.send("POST", f"{self._below}/{self._number}/comments", {"body": body}), "html_url")

    def change(self, note: int, body: str) -> str:
        """Replace the text of one."""
        return _text(self._api.send("PATCH", f"{self._below}/comments/{note}", {"body": body}), "html_url")


class GitLabNotes:
    """The notes of a merge request on GitLab (REST API, "Notes")."""

    def __init__(self, api: Rest, project: str, number: int) -> None:
        self._api = api
        self._path = f"/projects/{project}/merge_requests/{number}/notes"
        data = api.get("/user").data
        self._me = data.get("id") if isinstance(data, dict) else None

    def all(self) -> Iterator[Note]:
        """Every note; ours are those of the token's user."""
        for item in _pages(self._api, self._path, _gitlab_goes_on, sort="asc", order_by="created_at"):
            author = item.get("author")
            yield from _note(item, mine=isinstance(author, dict) and author.get("id") == self._me)

    def create(self, body: str) -> str:
        """Write a new one; a note has no page of its own."""
        self._api.send("POST", self._path, {"body": body})
        return ""

    def change(self, note: int, body: str) -> str:
        """Replace the text of one."""
        self._api.send("PUT", f"{self._path}/{note}", {"body": body})
        return ""


def _pages(api: Rest, path: str, goes_on: _GoesOn, **query: str) -> Iterator[dict[str, object]]:
    """The items of all pages. Pages are asked for by number: an address in an answer is not followed."""
    for page in range(1, _MOST_PAGES + 1):
        reply = api.get(path, per_page=_PAGE, page=page, **query)
        yield from (item for item in reply.data if isinstance(item, dict)) if isinstance(reply.data, list) else ()
        if not goes_on(reply):
            return


class _GoesOn(Protocol):
    def __call__(self, reply: Reply, /) -> bool: ...


def _github_goes_on(reply: Reply) -> bool:
    return 'rel="next"' in (reply.headers.get("link") or "")


def _gitlab_goes_on(reply: Reply) -> bool:
    return bool(reply.headers.get("x-next-page"))


def _note(item: Mapping[str, object], *, mine: bool) -> Iterator[Note]:
    number, body = item.get("id"), item.get("body")
    if isinstance(number, int) and isinstance(body, str):
        yield Note(number, body, mine)


def _text(reply: Reply, key: str) -> str:
    return str(reply.data.get(key, "")) if isinstance(reply.data, dict) else ""
