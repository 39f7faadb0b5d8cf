"""What `understudy diff` costs: beside an idle interpreter, and with `--engine` beside `pulumi preview`."""

from __future__ import annotations

import os
import resource
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench_kit import UNDERSTUDY, Pair, run, taken

__all__ = ["SECTION", "SERVICES", "Diffed", "diff_and_nothing", "engine_and_bare", "section", "verdicts"]

SERVICES = 50
BUILT = 10
MOST_SECONDS, MOST_TIMES = 1.0, 1.5

Diffed = tuple[Pair, list[float]]
"""The same of `diff`, and the processor time of each of ours, its git processes with it."""

SECTION = """\
## Differences

`understudy diff`, production against a commit that changes every fifth service, in a topology of {services} services
of which {built} are built, beside `python -c pass`; whole processes. Goal: less than 1 s more. `understudy diff
--engine` of the same commit beside `pulumi preview` of a project whose program is `understudy.program.main`, both for
an empty stack, {engine_rounds} rounds. Goal: at most 1.5 times. Load average of the machine, over a minute, when this
section was written: {load:.1f}. What `--engine` has beyond a preview: the comparison itself, and `stack init` on a
throw-away backend.

| | seconds |
|---|---|
| `understudy diff` | {ours} |
| `python -c pass` | {nothing} |
| more | {more} |
| processor time of `understudy diff` | {processor} |
| `understudy diff --engine` | {engine} |
| `pulumi preview` | {bare} |
| ratio | {ratio} |
"""


def topology(edition: int) -> str:
    """Services with what real ones have; every fifth one differs between two editions."""
    services = ""
    for number in range(SERVICES):
        image = f"app-{number}:{edition if number % 5 == 0 else 1}"
        origin = f"    build: ./s{number}\n" if number < BUILT else f"    image: {image}\n"
        services += (
            f"  s{number}:\n{origin}"
            f"    environment: {{MODE: m{number % 7}, URL: 'postgres://app:pw@s{SERVICES - 1}/db', N: '{number}'}}\n"
            f"    ports: ['{10000 + number}:8080']\n"
            f"    volumes: ['v{number}:/data', './conf:/conf:ro']\n"
            "    healthcheck: {test: [CMD, probe], interval: 5s}\n"
            "    deploy: {replicas: 2, resources: {limits: {memory: 64M, cpus: '0.5'}}}\n"
        )
    return f"name: bench\nservices:\n{services}volumes: {{{', '.join(f'v{n}: {{}}' for n in range(SERVICES))}}}\n"


def project(folder: Path) -> dict[str, str]:
    """A Pulumi project in a git repository, production on main and another edition on a branch; its environment."""
    folder.mkdir()
    env = {key: value for key, value in os.environ.items() if not key.startswith("PULUMI_")}
    env |= {
        "XDG_STATE_HOME": str(folder.parent / "state"),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
    }
    (folder / "Pulumi.yaml").write_text(
        f"name: bench\nruntime: {{name: python, options: {{virtualenv: {sys.prefix}}}}}\n"
        f"plugins: {{providers: [{{name: docker, path: {sys.prefix}/share/understudy/plugins}}]}}\n"
    )
    (folder / "__main__.py").write_text("from understudy.program import main\n\nmain()\n")
    (folder / "conf").mkdir()
    (folder / "conf" / "settings").write_text("x\n")
    for number in range(BUILT):
        (folder / f"s{number}").mkdir()
        (folder / f"s{number}" / "Dockerfile").write_text("FROM busybox:1.35\n")
    who = ("-c", "user.name=bench", "-c", "user.email=bench@example.invalid")
    run("git", "init", "-q", "-b", "main", cwd=folder, env=env)
    for edition, branch in ((1, ""), (2, "feature")):
        if branch:
            run("git", "checkout", "-q", "-b", branch, cwd=folder, env=env)
        (folder / "compose.yaml").write_text(topology(edition))
        run("git", "add", ".", cwd=folder, env=env)
        run("git", *who, "commit", "-qm", f"edition {edition}", cwd=folder, env=env)
    return env


def diff_and_nothing(rounds: int) -> Diffed:
    """Seconds of `understudy diff` of 50 services, and of an interpreter that does nothing."""
    used: list[float] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "bench"
        env = project(folder)

        def ours() -> None:
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            run(str(UNDERSTUDY), "diff", cwd=folder, env=env)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            used.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)

        pair = taken(rounds, ours, lambda: run(sys.executable, "-c", "pass", cwd=folder, env=env))
    return pair, used[1:]


def engine_and_bare(rounds: int) -> Pair:
    """Seconds of `understudy diff --engine`, and of `pulumi preview` of the same program."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "bench"
        env = project(folder)
        exports = run(str(UNDERSTUDY), "env", cwd=folder, env=env)
        shell = dict(line.removeprefix("export ").split("=", 1) for line in exports.splitlines())
        plain = env | {key: value.strip("'") for key, value in shell.items()}
        run("pulumi", "stack", "init", "bench", "--non-interactive", cwd=folder, env=plain)
        return taken(
            rounds,
            lambda: run(str(UNDERSTUDY), "diff", "--engine", cwd=folder, env=env),
            lambda: run("pulumi", "preview", "--non-interactive", cwd=folder, env=plain),
        )


def section(
    diffed: Diffed, engine: Pair, shown: Callable[[list[float]], str], ratio: Callable[[list[float], list[float]], str]
) -> str:
    """The part of docs/benchmarks.md; figures and ratios are written as on the rest of the page."""
    return SECTION.format(
        services=SERVICES,
        built=BUILT,
        engine_rounds=len(engine[0]),
        load=os.getloadavg()[0],
        ours=shown(diffed[0][0]),
        nothing=shown(diffed[0][1]),
        more=shown([a - b for a, b in zip(*diffed[0], strict=True)]),
        processor=shown(diffed[1]),
        engine=shown(engine[0]),
        bare=shown(engine[1]),
        ratio=ratio(*engine),
    )


def verdicts(diffed: Diffed, engine: Pair) -> list[tuple[str, bool]]:
    """Each goal and whether it is met, by medians."""
    middle = statistics.median
    return [
        (
            f"diff of {SERVICES} services, less than 1 s beyond the interpreter",
            middle(diffed[0][0]) - middle(diffed[0][1]) < MOST_SECONDS,
        ),
        ("diff --engine, at most 1.5 times a bare preview", middle(engine[0]) <= MOST_TIMES * middle(engine[1])),
    ]
