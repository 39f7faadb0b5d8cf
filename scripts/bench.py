"""Benchmarks: each figure is measured beside its peer in the same run, interleaved, and written as a ratio.

`make bench` runs it. It measures (1) an empty stack's life cycle through the engine beside the three bare CLI
processes, (2) ready and gone for 1, 10 and 30 containers through `understudy up` and `down` beside Docker Compose
and beside docker-py alone with 8 threads (bench_compose.py), (3) `understudy diff` (bench_diff.py), (4) how
long a report of 10,000 tests takes to open (bench_report.py), (5) how fast a failure stops the tests and what
running suites side by side saves (bench_tests.py), and (6) an environment on AWS (bench_aws.py), which `--only aws`
measures alone, without Docker. It writes docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import sys
import tempfile
from concurrent import futures
from pathlib import Path

import bench_aws
import bench_diff
import bench_reap
import bench_report
import bench_tests
import docker
from bench_compose import FLOOR_THREADS, IMAGE, Series, ready_and_gone
from bench_kit import ROOT, UNDERSTUDY, Pair, ratio, run, shown, taken, timed

MANY = 10
MOST_TIMES, MOST_HELP, MOST_MORE = 1.3, 0.15, 1.3
HEAD = """\
# Benchmarks

Written by `make bench`. Every figure is minimum / median of {rounds} rounds after one that is not counted; the things
compared take turns in the same run.

Machine: {cores} cores, {system}, Python {python}, Docker Engine {engine}.

## An empty stack

`stack init`, `up`, `destroy --remove` of a stack with no resources: through the engine, and as three bare CLI processes
one after another. Goal: a ratio of at most 1.3.

| | seconds |
|---|---|
| through the engine | {ours} |
| three bare processes | {bare} |
| ratio | {ratio} |

## Help

`understudy --help` beside `python -c pass`, whole processes. Goal: less than 0.15 s more.

| | seconds |
|---|---|
| `understudy --help` | {help} |
| `python -c pass` | {nothing} |
| more | {more} |

{diff}
## Ready and gone

One Compose file of N services ({image}, httpd on one published port): `understudy up` and `understudy down` beside
`docker compose up -d --wait` and `docker compose down -t 0 -v`, whole processes both, and beside the floor: docker-py
in a running process, {threads} threads, no waiting for ready. Understudy makes one container and one network more, the
relay's, waits for every port, and takes a receipt at the end. Goals: at most Compose from 10 containers on; at 1 at
most 1.3 s more.

Where the time goes, profiled with py-spy and getrusage on the machine above, 30 containers. Of `up`, 0.4 s is Python's
start and imports and 0.3 s the process of `stack init`; then the CLI uses 2.4 s of processor time and Understudy's own
process 2.1 s, on the two cores that the daemon needs as well. Of `down`, 0.5 s is Python's start and 0.45 s the CLI's;
then each container leaves its networks under a lock, 0.085 s one after another: side by side, Docker can lose an update
of a network's endpoint counter (moby/moby#42119), and the network could not be removed any more.

| N | | ready, s | gone, s | both, s | ready : Compose | gone : Compose | both : Compose | both : floor |
|---|---|---|---|---|---|---|---|---|"""


# 1. An empty stack's life cycle


def empty_stack(rounds: int) -> tuple[list[float], list[float]]:
    """Seconds of (through the engine, three bare processes), a pair a round."""
    import grpc
    from pulumi.automation._server import LanguageServer
    from pulumi.runtime.proto import language_pb2_grpc

    from understudy.engine.factory import make_engine
    from understudy.engine.interface import StackRef
    from understudy.engine.pulumi_cli import ensure
    from understudy.engine.settings import EngineSettings

    ours: list[float] = []
    bare: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        state = {**os.environ, "XDG_STATE_HOME": folder}
        settings = EngineSettings.from_environment(ensure(print).path, state)
        settings.prepare()
        engine = make_engine(settings, {})
        server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
        language_pb2_grpc.add_LanguageRuntimeServicer_to_server(LanguageServer(lambda: None), server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        project = Path(folder) / "project"
        project.mkdir()
        (project / "Pulumi.yaml").write_text("name: bare\nruntime: python\n")
        env = settings.environment()
        cli = str(settings.cli)
        quiet = ("--non-interactive", "--color", "never")

        def through_the_engine(number: int) -> None:
            ref = StackRef("bench", f"empty-{number}")
            engine.up(ref, lambda: None)
            engine.destroy(ref)

        def three_processes(number: int) -> None:
            stack = f"organization/bare/empty-{number}"
            run(cli, "stack", "init", stack, "--no-select", *quiet, cwd=project, env=env)
            run(
                *(cli, "up", "--yes", "--skip-preview", "--stack", stack, f"--client=127.0.0.1:{port}"),
                *("--exec-kind", "auto.inline", *quiet),
                cwd=project,
                env=env,
            )
            run(cli, "destroy", "--yes", "--skip-preview", "--remove", "--stack", stack, *quiet, cwd=project, env=env)

        for number in range(-1, rounds):
            pair = (timed(lambda n=number: through_the_engine(n)), timed(lambda n=number: three_processes(n)))
            if number >= 0:
                ours.append(pair[0])
                bare.append(pair[1])
        server.stop(0)
    return ours, bare


def help_and_nothing(rounds: int) -> tuple[list[float], list[float]]:
    """Seconds of `understudy --help` and of an interpreter that does nothing, a pair a round."""
    env = dict(os.environ)
    return taken(
        rounds,
        lambda: run(str(UNDERSTUDY), "--help", cwd=ROOT, env=env),
        lambda: run(sys.executable, "-c", "pass", cwd=ROOT, env=env),
    )


# 2. What is written


def page(
    rounds: int,
    empty: Pair,
    helped: Pair,
    diffed: tuple[bench_diff.Diffed, Pair],
    counts: dict[int, tuple[Series, Series, Series]],
    *,
    opened: bench_report.Opening,
    tests: bench_tests.Measured,
    judged: bench_reap.Judged,
) -> str:
    server = docker.from_env().version()
    lines = [
        HEAD.format(
            rounds=rounds,
            cores=os.cpu_count(),
            system=f"{platform.system()} {platform.release()}",
            python=platform.python_version(),
            engine=server["Version"],
            ours=shown(empty[0]),
            bare=shown(empty[1]),
            ratio=ratio(*empty),
            help=shown(helped[0]),
            nothing=shown(helped[1]),
            more=shown([a - b for a, b in zip(*helped, strict=True)]),
            diff="\n".join(
                [
                    bench_diff.section(*diffed, shown, ratio),
                    bench_report.section(opened),
                    bench_tests.section(tests, shown),
                    bench_reap.section(judged, shown),
                ]
            ),
            image=IMAGE,
            threads=FLOOR_THREADS,
        )
    ]
    for count, (ours, compose, floor) in counts.items():
        for series in (ours, compose, floor):
            against = (
                f"{ratio(series.ready, compose.ready)} | {ratio(series.gone, compose.gone)} | "
                f"{ratio(series.both, compose.both)} | {ratio(series.both, floor.both)}"
            )
            cells = f"{shown(series.ready)} | {shown(series.gone)} | {shown(series.both)}"
            lines.append(f"| {count} | {series.name} | {cells} | {against} |")
    return "\n".join(
        [
            *lines,
            "",
            "## Goals",
            "",
            *verdicts(empty, helped, diffed, counts, opened=opened, tests=tests, judged=judged),
            "",
        ]
    )


def verdicts(
    empty: Pair,
    helped: Pair,
    diffed: tuple[bench_diff.Diffed, Pair],
    counts: dict[int, tuple[Series, Series, Series]],
    *,
    opened: bench_report.Opening,
    tests: bench_tests.Measured,
    judged: bench_reap.Judged,
) -> list[str]:
    """Each goal with met or missed, by medians."""
    middle = statistics.median
    found = [
        ("an empty stack, at most 1.3 times the bare processes", middle(empty[0]) <= MOST_TIMES * middle(empty[1])),
        ("`--help`, less than 0.15 s beyond the interpreter", middle(helped[0]) - middle(helped[1]) < MOST_HELP),
        *bench_diff.verdicts(*diffed),
        *bench_report.verdicts(opened),
        *bench_tests.verdicts(tests),
        *bench_reap.verdicts(judged),
    ]
    for count, (ours, compose, _) in counts.items():
        many = count >= MANY
        said = f"{count} containers, at most Compose" if many else f"{count} container, at most 1.3 s more than Compose"
        allowed = 0.0 if many else MOST_MORE
        pairs = (
            ("ready", ours.ready, compose.ready),
            ("gone", ours.gone, compose.gone),
            ("both", ours.both, compose.both),
        )
        found += [(f"{said}: {what}", middle(mine) <= middle(peer) + allowed) for what, mine, peer in pairs]
    return goals(found)


def goals(found: list[tuple[str, bool]]) -> list[str]:
    return [f"- {text}: {'met' if met else 'missed'}" for text, met in found]


def on_docker(chosen: argparse.Namespace) -> str:
    """Everything but AWS, measured: the page."""
    if chosen.compose is None or not chosen.compose.is_file() or not shutil.which("docker"):
        sys.exit("there is no docker CLI or no Compose plugin; `make bench` makes one")
    empty = empty_stack(chosen.rounds)
    print(f"empty stack: {shown(empty[0])} s, bare {shown(empty[1])} s, ratio {ratio(*empty)}", flush=True)
    helped = help_and_nothing(chosen.rounds)
    print(f"--help: {shown(helped[0])} s, nothing {shown(helped[1])} s", flush=True)
    diffed = bench_diff.diff_and_nothing(chosen.rounds), bench_diff.engine_and_bare(chosen.rounds)
    for name, pair in (("diff", diffed[0][0]), ("diff --engine", diffed[1])):
        print(f"{name}: {shown(pair[0])} s, peer {shown(pair[1])} s", flush=True)
    opened = bench_report.measure(chosen.rounds)
    tests = bench_tests.measure(chosen.rounds)
    judged = bench_reap.measure(chosen.rounds)
    print(f"report: opened {shown(list(opened.opened))} s", flush=True)
    counts = {}
    for count in chosen.counts:
        counts[count] = ready_and_gone(count, chosen.rounds, chosen.compose)
        for series in counts[count]:
            print(f"{count:3} {series.name:11} ready {shown(series.ready)} gone {shown(series.gone)}", flush=True)
    return page(chosen.rounds, empty, helped, diffed, counts, opened=opened, tests=tests, judged=judged)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--counts", type=int, nargs="+", default=[1, 10, 30])
    parser.add_argument("--compose", type=Path, help="the docker-compose CLI plugin")
    parser.add_argument("--only", choices=["aws"], help="measure this alone; the rest of the page stays")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks.md")
    chosen = parser.parse_args()
    text = chosen.out.read_text(encoding="utf-8") if chosen.only else on_docker(chosen)
    chosen.out.write_text(text, encoding="utf-8")  # AWS comes last, and what was measured before it is not lost
    found = bench_aws.measure(chosen.rounds)
    written = bench_aws.section(found, shown)
    print(written)
    chosen.out.write_text(bench_aws.renewed(text, written, goals(bench_aws.verdicts(found))), encoding="utf-8")


if __name__ == "__main__":
    main()
