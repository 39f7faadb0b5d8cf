"""How a Compose service runs: command, environment, dependencies, health check, limits and restart policy."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from understudy.stacks.topology import Condition, Dependency, HealthCheck, Resources, Restart, TopologyError

from .document.env_file import decode, parse_env
from .document.yaml_text import Node
from .nodes import Fields, Reading, T, choice, flag, integer, mapping, number, pairs, parsed, text, texts
from .values import byte_size, duration, split_command

__all__ = [
    "command",
    "completed",
    "dependencies",
    "environment",
    "healthcheck",
    "labels",
    "resources",
    "restart",
]

_CONDITIONS: Mapping[str, Condition] = {
    "service_started": "started",
    "service_healthy": "healthy",
    "service_completed_successfully": "completed",
}
_POLICIES = {word: Restart(word) for word in ("no", "always", "on-failure", "unless-stopped")}
_SWARM_CONDITIONS = {"none": "no", "on-failure": "on-failure", "any": "always"}


def command(node: Node) -> tuple[str, ...]:
    """An argument vector, or a command line that is split into one; both may be empty."""
    if isinstance(node.value, tuple):
        return texts(node, secret=True)
    return parsed(node, split_command, secret=True)


def completed(found: Mapping[str, tuple[str | None, Node]], reading: Reading) -> dict[str, str]:
    """The pairs with values; one without takes that of the variable of its name, or is left out, as in Compose."""
    given = ((key, reading.variables.get(key) if value is None else value) for key, (value, _) in found.items())
    return {key: value for key, value in given if value is not None}


def environment(direct: Node | None, files: Node | None, reading: Reading) -> dict[str, str]:
    """The environment: that of the files in their order, then what `environment` itself says."""
    result: dict[str, str] = {}
    for node in () if files is None else files.value if isinstance(files.value, tuple) else (files,):
        result.update(_env_file(node, reading))
    if direct is not None:
        found = pairs(direct, reading, secret=True)
        for key, (value, _) in found.items():
            if value is None and key not in reading.variables:
                result.pop(key, None)
        result.update(completed(found, reading))
    return result


def _env_file(node: Node, reading: Reading) -> dict[str, str]:
    required, raw, named = True, False, node
    if isinstance(node.value, Mapping):
        fields = Fields(node, reading)
        named = fields.need("path")
        required = fields.read("required", flag, default=True)
        raw = fields.read("format", lambda form: choice(form, {"raw": True}), default=False)
        fields.finish()
    path = reading.path(named, "the environment file")
    data = reading.read_file(path)
    if data is None:
        if required:
            raise TopologyError(
                f"the environment file {path!r} is not in what is cloned (git may ignore it): commit one without "
                f"secrets, write {{path: {path}, required: false}}, or take the folder as it lies with --dirty",
                named.where,
            )
        return {}
    return parse_env(decode(data, path), path, reading.variables, raw=raw)


def dependencies(node: Node, reading: Reading) -> tuple[Dependency, ...]:
    """`depends_on` as list or mapping."""
    if isinstance(node.value, tuple):
        return tuple(Dependency(name) for name in dict.fromkeys(texts(node)))
    result: list[Dependency] = []
    for name, child in mapping(node).items():
        fields = Fields(child, reading)
        condition = choice(found, _CONDITIONS) if (found := fields.take("condition")) else "started"
        required = fields.read("required", flag, default=True)
        fields.finish({"restart": "dependents are not restarted with what they depend on"})
        result.append(Dependency(name, condition, required))
    return tuple(result)


def healthcheck(node: Node, reading: Reading) -> HealthCheck:
    """`healthcheck`; one that is disabled has the test NONE."""
    fields = Fields(node, reading)
    disabled = fields.read("disable", flag, default=False)
    result = HealthCheck(
        fields.read("test", _health_test, None),
        fields.read("interval", _duration, None),
        fields.read("timeout", _duration, None),
        fields.read("start_period", _duration, None),
        fields.read("retries", integer, None),
    )
    fields.finish({"start_interval": "readiness is probed at its own pace, so it is left out"})
    return HealthCheck(("NONE",)) if disabled else result


def _duration(node: Node) -> float:
    return parsed(node, duration)


def _health_test(node: Node) -> tuple[str, ...]:
    if not isinstance(node.value, tuple):
        return ("CMD-SHELL", text(node, secret=True))
    words = texts(node, secret=True)
    if words and words[0] == "NONE":
        return ("NONE",)
    if len(words) < 2 or words[0] not in {"CMD", "CMD-SHELL"}:  # noqa: PLR2004 - the word and what it runs
        raise TopologyError(
            "a test begins with NONE, CMD or CMD-SHELL, and the latter two are followed by it", node.where
        )
    return words


def labels(node: Node, reading: Reading) -> dict[str, str]:
    """`labels` as list or mapping; one without a value is empty."""
    return {key: value or "" for key, (value, _) in pairs(node, reading).items()}


def resources(limits: Fields | None, service: Fields) -> Resources:
    """The limits of `deploy.resources` and of the service itself; where both say something, they have to agree."""

    def pick(key: str, old: str, reader: Callable[[Node], T]) -> T | None:
        new, direct = limits.take(key) if limits else None, service.take(old)
        found = [reader(node) for node in (new, direct) if node is not None]
        if direct and len(found) > 1 and found[0] != found[1]:
            raise TopologyError(f"{old!r} and 'deploy.resources.limits.{key}' say different things", direct.where)
        return found[0] if found else None

    pids = pick("pids", "pids_limit", lambda node: integer(node, least=-1))
    return Resources(
        pick("cpus", "cpus", number),
        pick("memory", "mem_limit", lambda node: parsed(node, byte_size)) or None,
        pids if pids is not None and pids > 0 else None,  # 0 and -1 are Docker's words for unlimited
    )


def restart(node: Node | None, policy: Node | None, reading: Reading) -> Restart:
    """`restart`, or `deploy.restart_policy`, which wins as it does in Compose."""
    if policy is not None:
        return _deploy_restart(policy, reading)
    if node is None:
        return Restart()
    given = text(node)
    word, mark, attempts = given.partition(":")
    if mark and not (word == "on-failure" and re.fullmatch(r"[0-9]{1,9}", attempts)):
        raise TopologyError(f"{given[:60]!r} is not allowed; only on-failure takes a number: on-failure:3", node.where)
    if word not in _POLICIES:
        raise TopologyError(f"{given[:60]!r} is not allowed; allowed are {', '.join(_POLICIES)}", node.where)
    return Restart(_POLICIES[word].policy, int(attempts) if mark else None)


def _deploy_restart(node: Node, reading: Reading) -> Restart:
    fields = Fields(node, reading)
    word = fields.read("condition", lambda given: choice(given, _SWARM_CONDITIONS), "always")
    attempts = fields.read("max_attempts", integer, None)
    fields.finish(dict.fromkeys(("delay", "window"), "is left out: the engine has its own delays"))
    return Restart(_POLICIES[word].policy, attempts if word == "on-failure" else None)
