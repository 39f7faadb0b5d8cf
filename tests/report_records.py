"""Records to draw pages of: a shop with as many tests as are wanted, and a folder with the logs that go with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from understudy.report import (
    BeforeRecord,
    CaseRecord,
    CauseRecord,
    ContainerRecord,
    EdgeRecord,
    GraphRecord,
    Moment,
    NodeRecord,
    PhaseRecord,
    PropertyRecord,
    ReceiptRecord,
    RunRecord,
    SectionRecord,
    SuiteRecord,
    utc,
)
from understudy.suites.results import Outcome, SuiteStatus

__all__ = ["BEGAN", "case", "folder_of", "shop", "suite"]

BEGAN = 1_760_000_000.0
"""When these runs began, in seconds since the epoch."""

_TESTS_BEGAN = 12.0
_TRACEBACK = """\
    def test_it(shop):
>       assert shop.get("/orders").status == 200
E       AssertionError: assert 502 == 200

tests/test_shop.py:{line}: AssertionError"""


def case(
    name: str, outcome: Outcome = Outcome.PASSED, *, at: float | None = 0.0, seconds: float = 0.02, worker: str = ""
) -> CaseRecord:
    """A test that began `at` seconds after its run; None: never."""
    bad = outcome in {Outcome.FAILED, Outcome.ERROR}
    return CaseRecord(
        id=name,
        outcome=outcome,
        seconds=seconds,
        started=None if at is None else utc(BEGAN + at),
        worker=worker,
        message="AssertionError: assert 502 == 200" if bad else "",
        detail=_TRACEBACK.format(line=len(name)) if bad else "",
        sections=(SectionRecord("Captured stdout call", "asked the gateway\n"),) if bad else (),
        file="tests/test_shop.py",
        line=len(name),
        before=(BeforeRecord("passed", 0.021), BeforeRecord("passed", 0.019)),
    )


def suite(name: str, tests: tuple[CaseRecord, ...], *, workers: int = 1) -> SuiteRecord:
    """A suite of these tests, which failed if one of them did."""
    counts = {each.value: sum(test.outcome is each for test in tests) for each in Outcome}
    bad = counts["failed"] + counts["error"]
    started = min((test.started for test in tests if test.started), default=utc(BEGAN + _TESTS_BEGAN))
    return SuiteRecord(
        name=name,
        status=SuiteStatus.FAILED if bad else SuiteStatus.PASSED,
        reason=f"{bad} of {len(tests)} tests failed" if bad else "",
        command=("pytest", "-q"),
        exit_code=1 if bad else 0,
        started=Moment(started),
        seconds=sum(test.seconds for test in tests) / workers,
        workers=workers,
        counts=counts,
        tests=tests,
        notices=(),
        files=(),
    )


def shop(tests: int = 12, suites: int = 1, failing: int = 0, workers: int = 2) -> RunRecord:
    """A run with so many tests in so many suites, of which the last `failing` failed, spread over workers."""
    made = tuple(suite(f"suite-{n}", tuple(_cases(n, tests, suites, failing, workers))) for n in range(suites))
    ended = _TESTS_BEGAN + max(each.seconds for each in made) / workers
    record = RunRecord(
        run="20251009T085320Z-e0shop",
        environment="e0shop",
        target="docker:here",
        project="shop",
        repository="https://example.invalid/shop.git",
        topology="compose.yaml",
        commit="c0ffee" * 6 + "c0ff",
        branch="main",
        production_ref="origin/main",
        started=utc(BEGAN),
        version="0.1.0",
        profile="default",
        ended=utc(BEGAN + ended + 3),
        seconds=ended + 3,
        ready_at=utc(BEGAN + _TESTS_BEGAN),
        phases=(
            PhaseRecord("clone", utc(BEGAN), 0.0, 0.4),
            PhaseRecord("provision", utc(BEGAN + 0.4), 0.4, 11.2),
            PhaseRecord("test", utc(BEGAN + _TESTS_BEGAN), _TESTS_BEGAN, ended - _TESTS_BEGAN),
        ),
        properties=(
            PropertyRecord("services.db", "volumes", "missing", "data", None, "data is not copied", ""),
            PropertyRecord("services.gateway", "image", "faithful", "nginx", "nginx", "", ""),
        ),
        graph=GraphRecord(
            (
                NodeRecord("gateway", "gateway", "changed", "running"),
                NodeRecord("orders", "service", "scaled", "healthy"),
                NodeRecord("db", "database", "missing", "healthy"),
                NodeRecord("mailer", "service", "faithful", "healthy"),
                NodeRecord("payments", "mock", "mocked", "running"),
            ),
            (
                EdgeRecord("gateway", "orders", "started"),
                EdgeRecord("orders", "db", "healthy"),
                EdgeRecord("gateway", "db", "started"),
                EdgeRecord("orders", "payments", "names"),
            ),
        ),
        suites=made,
        containers=(ContainerRecord("e0shop-db", "db", {"state": "running", "memory_limit": 1 << 29, "restarts": 0}),),
        receipt=ReceiptRecord("e0shop", "docker:here", "CLEAN", utc(BEGAN + ended + 3), (), "", {"container": 4}),
        files=("run.json", "logs/gateway.log", "junit.xml"),
    )
    cause = CauseRecord(1, "TestsFailedError", "test", f"Tests failed: {failing} failed.")
    return record.with_cause(cause) if failing else record


def _cases(number: int, tests: int, suites: int, failing: int, workers: int) -> Iterator[CaseRecord]:
    """The tests of one suite, one after another on each worker."""
    for index in range(number, tests, suites):
        place = index // suites
        outcome = Outcome.FAILED if index >= tests - failing else Outcome.PASSED
        seconds = 0.01 + (index * 7919 % 23) / 1000
        at = _TESTS_BEGAN + (place // workers) * 0.04
        name = f"tests/test_part_{place // 50:03}.py::test_number_{index:05}"
        yield case(name, outcome, at=at, seconds=seconds, worker=f"gw{place % workers}" if workers > 1 else "")


def folder_of(record: RunRecord, root: Path, logs: Mapping[str, str] | None = None) -> Path:
    """A run folder with this record and these logs; without any, each service says something every 20 ms."""
    folder = root / record.run
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    if logs is None:
        ticks = range(int(record.seconds * 50))
        logs = {
            name: "".join(f"{utc(BEGAN + tick / 50)} {name} says {tick}\n" for tick in ticks)
            for name in ("gateway", "orders", "db", "mailer")
        }
    for name, text in logs.items():
        (folder / "logs" / f"{name}.log").write_text(text, encoding="utf-8", errors="surrogateescape")
    (folder / "run.json").write_text(record.to_json(), encoding="utf-8")
    return folder
