"""The part of GitHub's runner, as far as our files need it: jobs, steps, their files, expressions, commands."""

from __future__ import annotations

import json
import re
import subprocess
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

_TOKEN = re.compile(r"\s*('(?:[^']|'')*'|\d+|\|\||&&|==|!=|[!()]|[A-Za-z_][\w.-]*)")
_STATUS = ("success", "always", "failure", "cancelled")


class Expression:
    """What stands between `${{` and `}}`: literals, contexts, operators and the four functions of a status."""

    def __init__(self, text: str, contexts: Mapping[str, Any], *, failed: bool) -> None:
        self._tokens = _TOKEN.findall(text)
        assert "".join(self._tokens) == re.sub(r"\s+(?=(?:[^']*'[^']*')*[^']*$)", "", text), text
        self._contexts = contexts
        self._failed = failed

    def value(self) -> Any:
        found = self._or()
        assert not self._tokens, self._tokens
        return found

    def _next(self, *wanted: str) -> str:
        return self._tokens.pop(0) if self._tokens and (not wanted or self._tokens[0] in wanted) else ""

    def _or(self) -> Any:
        found = self._and()
        while self._next("||"):
            other = self._and()
            found = found or other
        return found

    def _and(self) -> Any:
        found = self._equal()
        while self._next("&&"):
            other = self._equal()
            found = found and other
        return found

    def _equal(self) -> Any:
        found = self._one()
        while sign := self._next("==", "!="):
            other = self._one()
            found = (str(found).lower() == str(other).lower()) == (sign == "==")
        return found

    def _one(self) -> Any:
        word = self._next()
        if word == "!":
            return not self._one()
        if word == "(":
            found = self._or()
            assert self._next(")")
            return found
        if word.startswith("'"):
            return word[1:-1].replace("''", "'")
        if word.isdigit():
            return int(word)
        if word in _STATUS and self._next("("):
            assert self._next(")")
            return {"success": not self._failed, "failure": self._failed, "always": True, "cancelled": False}[word]
        return word == "true" if word in {"true", "false"} else self._context(word)

    def _context(self, path: str) -> Any:
        found: Any = self._contexts
        for key in path.split("."):
            found = found.get(key, "") if isinstance(found, Mapping) else ""
        return found


@dataclass
class Step:
    """How a step ended; `commands` are those that the runner saw in its log."""

    outcome: str
    outputs: dict[str, str] = field(default_factory=dict)
    log: str = ""
    commands: list[str] = field(default_factory=list)


@dataclass
class Runner:
    """One machine. `actions`: the action's name -> what it does with its inputs, or the folder of a composite one."""

    workspace: Path
    temp: Path
    env: dict[str, str]
    """What the machine has, and the job's own."""

    github: dict[str, Any]
    actions: Mapping[str, Path | Callable[[Mapping[str, str]], None]]
    path: list[str] = field(default_factory=list)
    summary: str = ""
    steps: list[tuple[str, Step]] = field(default_factory=list)

    def job(self, workflow: Path, name: str, needs: Mapping[str, str] | None = None) -> str:
        """Run one job of a workflow; `success`, `failure`, `skipped`, or `not started` by this event."""
        whole = YAML(typ="safe").load(workflow.read_text(encoding="utf-8"))
        if not self._starts(whole["on"]):
            return "not started"
        job = whole["jobs"][name]
        contexts = {"github": self.github, "needs": {key: {"result": value} for key, value in (needs or {}).items()}}
        bad = any(value != "success" for value in (needs or {}).values())
        if not self._wanted(job.get("if", ""), contexts, failed=bad):
            return "skipped"
        self.path = []
        folder = job.get("defaults", {}).get("run", {}).get("working-directory", ".")
        return self._all(job["steps"], contexts, self.workspace, folder)

    def _starts(self, triggers: Mapping[str, Any]) -> bool:
        """Whether the event is one that the workflow waits for; the types are GitHub's defaults where it names none."""
        event = self.github["event_name"]
        usual = {"pull_request": ["opened", "synchronize", "reopened"]}.get(event)
        types = (triggers.get(event) or {}).get("types", usual) if isinstance(triggers.get(event), dict) else usual
        return event in triggers and (types is None or self.github["event"].get("action") in types)

    @property
    def told(self) -> str:
        """The log of the first step that failed; empty: none did."""
        return next((f"{name}:\n{step.log}" for name, step in self.steps if step.outcome == "failure"), "")

    def step(self, name: str) -> Step:
        """The step of that name that ran last."""
        return next(step for found, step in reversed(self.steps) if found == name)

    def _all(self, steps: list[dict[str, Any]], contexts: dict[str, Any], action: Path, folder: str) -> str:
        failed = False
        contexts["steps"] = {}
        for step in steps:
            name = step.get("name") or step.get("uses") or step["run"]
            if not self._wanted(step.get("if", ""), contexts, failed=failed):
                done = Step("skipped")
            elif "uses" in step:
                done = self._use(step, contexts, failed=failed)
            else:
                done = self._run(step, contexts, action, folder, failed=failed)
            self.steps.append((name, done))
            failed = failed or done.outcome == "failure"
            if "id" in step:
                contexts["steps"][step["id"]] = {"outputs": done.outputs, "outcome": done.outcome}
        return "failure" if failed else "success"

    @staticmethod
    def _wanted(condition: str, contexts: Mapping[str, Any], *, failed: bool) -> bool:
        text = re.sub(r"^\$\{\{(.*)\}\}$", r"\1", str(condition).strip(), flags=re.DOTALL)
        if not any(f"{name}(" in text for name in _STATUS):
            text = f"success() && ({text})" if text else "success()"
        return bool(Expression(text, contexts, failed=failed).value())

    @staticmethod
    def _text(value: object, contexts: Mapping[str, Any], *, failed: bool) -> str:
        def one(found: re.Match[str]) -> str:
            result = Expression(found[1], contexts, failed=failed).value()
            return json.dumps(result) if isinstance(result, bool) else str(result)

        text = json.dumps(value) if isinstance(value, bool) else str(value)
        return re.sub(r"\$\{\{(.*?)\}\}", one, text)

    def _use(self, step: dict[str, Any], contexts: Mapping[str, Any], *, failed: bool) -> Step:
        given = {key: self._text(value, contexts, failed=failed) for key, value in step.get("with", {}).items()}
        what = self.actions[step["uses"].partition("@")[0]]
        if not isinstance(what, Path):
            what(given)
            return Step("success")
        action = YAML(typ="safe").load((what / "action.yml").read_text(encoding="utf-8"))
        inner: dict[str, Any] = {"github": contexts["github"]}
        inner["inputs"] = {
            name: given.get(name, self._text(declared.get("default", ""), inner, failed=False))
            for name, declared in action["inputs"].items()
        }
        assert set(given) <= set(inner["inputs"])
        own = {key: self._text(value, contexts, failed=failed) for key, value in step.get("env", {}).items()}
        before = {key: self.env.get(key) for key in own}
        self.env |= own
        outcome = self._all(action["runs"]["steps"], inner, what, ".")
        for key, value in before.items():
            self.env.pop(key) if value is None else self.env.update({key: value})
        outputs = {key: self._text(value["value"], inner, failed=False) for key, value in action["outputs"].items()}
        return Step(outcome, outputs)

    def _run(
        self, step: dict[str, Any], contexts: Mapping[str, Any], action: Path, folder: str, *, failed: bool
    ) -> Step:
        here = self.temp / uuid.uuid4().hex
        here.mkdir()
        files = {name: here / name for name in ("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STEP_SUMMARY")}
        for path in files.values():
            path.touch()
        (here / "script.sh").write_text(step["run"], encoding="utf-8")
        own = {key: self._text(value, contexts, failed=failed) for key, value in step.get("env", {}).items()}
        env = {
            **self.env,
            **{name: str(path) for name, path in files.items()},
            "GITHUB_ACTION_PATH": str(action),
            **own,
        }
        env["PATH"] = ":".join([*reversed(self.path), self.env["PATH"]])
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", here / "script.sh"],
            cwd=self.workspace / self._text(step.get("working-directory", folder), contexts, failed=failed),
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=240,
            check=False,
        )
        self.path += files["GITHUB_PATH"].read_text(encoding="utf-8").splitlines()
        self.env |= _pairs(files["GITHUB_ENV"].read_text(encoding="utf-8"))
        self.summary += files["GITHUB_STEP_SUMMARY"].read_text(encoding="utf-8")
        outcome = "failure" if done.returncode else "success"
        outputs = _pairs(files["GITHUB_OUTPUT"].read_text(encoding="utf-8"))
        return Step(outcome, outputs, done.stdout, commands(done.stdout))


def _pairs(text: str) -> dict[str, str]:
    """`name=value` lines, and `name<<END`, lines, `END`."""
    found: dict[str, str] = {}
    lines = text.splitlines()
    while lines:
        line = lines.pop(0)
        if heredoc := re.fullmatch(r"([\w-]+)<<(\S+)", line):
            end = lines.index(heredoc[2])
            found[heredoc[1]] = "\n".join(lines[:end])
            lines = lines[end + 1 :]
        else:
            name, equals, value = line.partition("=")
            assert equals, line
            found[name] = value
    return found


def commands(log: str) -> list[str]:
    """The names of the commands in a log, as the runner's ActionCommand.cs finds them."""
    names = "set-output|save-state|add-mask|error|warning|notice|debug|group|endgroup|stop-commands|add-matcher|echo"
    found = []
    for line in re.split(r"\r\n|\r|\n", log):
        match = re.match(rf"\s*::({names})(?: .*?)?::", line) or re.search(rf"##\[({names})[^\]]*\]", line)
        if match:
            found.append(match[1])
    return found


def checkout(origin: Path, workspace: Path, ref: str) -> None:
    """What runners do in an empty folder: fetch all branches, check out a commit, without branch or HEAD of origin."""
    git = ("git", "-C", str(workspace), "-c", "advice.detachedHead=false")
    for words in (
        ("init", "-q"),
        ("remote", "add", "origin", str(origin)),
        ("fetch", "-q", "--no-tags", "origin", "+refs/heads/*:refs/remotes/origin/*"),
        ("checkout", "-q", "--force", ref),
    ):
        subprocess.run([*git, *words], check=True)
