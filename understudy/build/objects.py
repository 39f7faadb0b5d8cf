"""Git objects, read through a git folder of our own: nothing that a repository is configured to do counts."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from understudy.build.git_process import message_of, run_git
from understudy.errors import ToolError, UnderstudyError
from understudy.scratch import Scratch

__all__ = ["RAW", "Found", "ObjectStore", "quoted"]

_OBJECT = re.compile(rb"([0-9a-f]{40,64}) (\w+) (\d+)\n")
_ODD = re.compile(rb"(?:symlink|dangling|loop|notdir) (\d+)\n")
_PLAIN = re.compile(rb"[^\"\\\x00-\x1f\x7f-\xff]+")

RAW = "* -text -ident -filter !eol !working-tree-encoding\n"
"""Attributes (gitattributes(5)) under which what is stored is what lies on disk, byte for byte."""

Found = tuple[str, str, bytes]
"""Id, type and content (empty where it was not asked for) of an object."""


def quoted(path: bytes) -> bytes:
    """A path as git reads it from a list of lines: in C's quotes where it is not plain (quote.c)."""
    if _PLAIN.fullmatch(path) and not path.startswith(b"#"):
        return path
    return b'"' + re.sub(rb"[\"\\\x00-\x1f\x7f-\xff]", lambda m: b"\\%03o" % m[0][0], path) + b'"'


class ObjectStore:
    """A bare git folder in a temporary place, which sees the objects of `folders` and goes when nobody uses it.

    Git runs here without the repository's own configuration, hooks, filters, attributes, replacements, grafts and
    remotes, and without the user's and the system's: what a commit holds is the same on every machine, no program is
    started, and nothing can be fetched.

    Args:
        folders: object folders (`.git/objects`) to read; nothing is written into them.
        object_format: `sha1` or `sha256`.
        attributes: what goes before all attributes that a tree has itself.
    """

    def __init__(self, folders: tuple[Path, ...], object_format: str, *, attributes: str = "") -> None:
        self.folders = folders
        self.object_format = object_format
        try:
            self._scratch = Scratch("git")
            self.git_dir = self._scratch.path
            for name in ("objects/info", "refs", "info", "written"):
                (self.git_dir / name).mkdir(parents=True)
            (self.git_dir / "HEAD").write_text("ref: refs/heads/none\n", encoding="ascii")
            version = "" if object_format == "sha1" else f"[extensions]\n\tobjectFormat = {object_format}\n"
            (self.git_dir / "config").write_text(
                f"[core]\n\trepositoryFormatVersion = {1 if version else 0}\n\tbare = false\n{version}", "utf-8"
            )
            (self.git_dir / "info/attributes").write_text(attributes, "utf-8")
            lines = [quoted(os.fsencode(folder)) + b"\n" for folder in (*folders, self.written)]
            (self.git_dir / "objects/info/alternates").write_bytes(b"".join(lines))
        except OSError as error:
            raise UnderstudyError(f"Made a temporary git folder, and it failed: {error}.") from error

    @property
    def written(self) -> Path:
        """Where objects go that `run(objects=...)` writes; they are seen here like those of `folders`."""
        return self.git_dir / "written"

    def run(
        self,
        *arguments: str,
        work_tree: Path | None = None,
        index: Path | None = None,
        objects: Path | None = None,
        data: bytes = b"",
        accept: tuple[int, ...] = (0,),
    ) -> subprocess.CompletedProcess[bytes]:
        """Run git on these objects.

        Args:
            arguments: without the `git`.
            work_tree: the files it works on, if any.
            index: the index file, if any.
            objects: the only folder that it reads and writes objects in. Alone, because git renews the times of
                objects that it was to write and finds in a folder beside it.
            data: its standard input.
            accept: exit codes that are no failure.

        Raises:
            ToolError: git is missing, or ended with another code.
        """
        variables: dict[str, str | None] = {
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_COUNT": None,
            "GIT_CONFIG_PARAMETERS": None,
            "GIT_INDEX_FILE": str(index or self.git_dir / "no-index"),
        }
        if objects is not None:
            variables["GIT_OBJECT_DIRECTORY"] = str(objects)
        where = work_tree or self.git_dir
        placed = (f"--git-dir={self.git_dir}", f"--work-tree={where}", *arguments)
        done = run_git(where, placed, variables=variables, data=data)
        if done.returncode not in accept:
            read = ", ".join(str(folder) for folder in self.folders)
            raise ToolError(f"Ran `git {arguments[0]}` on the objects in {read}, and it failed: {message_of(done)}.")
        return done

    def find_all(self, names: Sequence[str]) -> dict[str, Found]:
        """What `find` says of each name, without contents and without those that it does not find; in one process."""
        asked = b"".join(os.fsencode(name) + b"\n" for name in names)
        told = self.run("cat-file", "--batch-check", "--follow-symlinks", data=asked).stdout
        found: dict[str, Found] = {}
        place = 0
        for name in names:
            end = told.find(b"\n", place) + 1
            line, place = told[place:end], end
            if head := _OBJECT.fullmatch(line):
                found[name] = (head[1].decode(), head[2].decode(), b"")
            elif odd := _ODD.fullmatch(line):
                place += int(odd[1]) + 1  # where a link leads that leads nowhere inside, and a line feed
        return found

    def find(self, name: str, *, content: bool = False) -> Found | None:
        """The object that a name such as `COMMIT:path` means, links followed inside the tree; None: there is none."""
        command = "--batch" if content else "--batch-check"
        done = self.run("cat-file", command, "--follow-symlinks", data=os.fsencode(name) + b"\n")
        head = _OBJECT.match(done.stdout)
        if head is None:
            return None
        return head[1].decode(), head[2].decode(), done.stdout[head.end() :][: int(head[3])] if content else b""

    def missing(self, ids: Mapping[bytes, bytes]) -> list[bytes]:
        """Of object id -> what has it, those things whose object is not here."""
        data = b"".join(each + b"\n" for each in ids)
        lines = self.run("cat-file", "--batch-check=%(objectname)", data=data).stdout.splitlines()
        return [ids[line.split(b" ")[0]] for line in lines if line.endswith(b" missing")]
