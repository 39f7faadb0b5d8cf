"""What suites inside stand on, and what tells of one: by the plan, its resources, and the script itself in a shell."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aws.plans import ENV, PLATFORM, SOURCES, declare, everything, everything_plan, planned, service, topology
from support import wait_for

from understudy.errors import UsageError
from understudy.stacks.aws.inside import inside
from understudy.stacks.aws.managed import files_bucket
from understudy.stacks.aws.suites import TELL, Folders, SuitePlan, size_of
from understudy.stacks.aws_names import LIMITS
from understudy.stacks.clone import Clone
from understudy.stacks.suite import Suite
from understudy.targets.aws import suite_files
from understudy.targets.aws.suite_files import tree_files
from understudy.targets.aws.suite_streams import Results

INSIDE = Suite("inside", ("pytest",), image="tests:1", runs_on="network")


def plan(results: str = "/understudy-suite/results", **more: Any) -> SuitePlan:
    given: dict[str, Any] = {
        "environment": ENV,
        "platform": PLATFORM,
        "logical": "inside",
        "token": "0123456789abcdef",
        "image": "tests:1",
        "architecture": "X86_64",
        "command": ("pytest", "-q"),
        "shown": {"A": "1"},
        "hidden": {},
        "working_dir": "/understudy-suite/files",
        "size": size_of(None, "Suite 'inside'"),
        "tool_image": "tool:1",
        "folders": Folders("/understudy-suite", "/understudy-suite/files", results, "/understudy-suite/contract"),
        "trusted": "",
        "group": "sg-1",
        "namespace": "arn:namespace",
        "bucket": "files",
        "source": "suites/1/in/",
    }
    return SuitePlan(**{**given, **more})


def test_an_environment_with_a_suite_inside_has_a_role_for_it_and_a_bucket_and_others_do_not() -> None:
    clone = Clone(topology(service("web")))
    assert not [made for made in declare(planned(clone)).resources if made.type.startswith(("aws:iam/", "aws:s3/"))]
    with_one = replace(clone, topology=replace(clone.topology, suites=(INSIDE,)))
    made = declare(planned(with_one)).resources
    (role,) = (each.inputs for each in made if each.type == "aws:iam/role:Role")
    (policy,) = (each.inputs for each in made if each.type == "aws:iam/rolePolicy:RolePolicy")
    (bucket,) = (each.inputs for each in made if each.type == "aws:s3/bucket:Bucket")
    assert (role["path"], role["permissionsBoundary"]) == ("/understudy/", "arn:boundary")
    assert bucket["bucket"] == files_bucket(PLATFORM, ENV.id).name
    arn = f"arn:aws:s3:::{bucket['bucket']}"
    statements = json.loads(policy["policy"])["Statement"]
    assert {(each["Action"][0], each["Resource"][0]) for each in statements} == {
        ("s3:GetObject", f"{arn}/suites/*"),
        ("s3:PutObject", f"{arn}/suites/*/out/*"),
        ("s3:ListBucket", arn),
    }
    assert plan().definition("")["taskRoleArn"].endswith(f"role/understudy/{role['name']}")


def test_inside_has_each_name_that_service_connect_has() -> None:
    answering = inside(everything(), PLATFORM, ENV.id, SOURCES)
    found = {f"{endpoint.service}:{endpoint.port}": (host, endpoint.scheme) for endpoint, host in answering}
    assert found["db:5432"] == ("db.internal", "postgresql")  # the one name that its callers use
    assert found["payments:443"] == ("api.payments.example", "https")
    assert found["web:8080"] == ("web", "http")
    assert not [name for name in found if name.startswith(("orders", "uploads", "migrate"))]
    given = everything_plan().services
    aliases = {(alias.port, alias.host) for each in given for alias in each.aliases}
    assert {(endpoint.port, host) for endpoint, host in answering} == aliases
    assert found["beside:9100"] == ("full", "tcp"), "it answers in the network of the service that it is beside"


@pytest.mark.parametrize("logical", ["inside", "x" * 300, "ünïté/../", "a b"])
def test_its_names_and_tags_are_within_the_limits_of_aws(logical: str) -> None:
    found = plan(logical=logical, hidden={"B": "2222"})
    assert len(found.name) <= min(LIMITS["service"], LIMITS["family"])
    assert found.name.startswith(f"{ENV.id}-")
    assert found.secret.startswith(f"understudy/{ENV.id}-")
    assert all(len(value) <= 256 and value.isascii() for value in found.tags.values())
    assert len(json.dumps(found.definition("arn:secret"))) < 64 * 1024


def test_two_attempts_have_no_name_in_common() -> None:
    one, two = plan(), plan(token="f" * 16)
    assert {one.name, one.secret, one.left}.isdisjoint({two.name, two.secret, two.left})


def test_a_suite_has_a_processor_and_two_gib_for_each_worker() -> None:
    assert [size_of(n, "s").cpu for n in (None, 1, 2, 3, 99)] == [1024, 1024, 2048, 4096, 16384]
    assert size_of(None, "s").memory >= 2048


def test_links_and_modes_of_a_tree_are_made_again(tmp_path: Path) -> None:
    tree, copy = tmp_path / "tree", tmp_path / "copy"
    (tree / "deep").mkdir(parents=True)
    (tree / "deep" / "-it's $(x).sh").write_text("#!/bin/sh\necho ran\n")
    (tree / "deep" / "-it's $(x).sh").chmod(0o755)
    (tree / "plain").write_text("plain")
    (tree / "only").mkdir()
    (tree / "only" / "-l").symlink_to("../plain")
    (tree / "folder").symlink_to("deep")
    found = tree_files(tree)
    assert set(found.files) == {"deep/-it's $(x).sh", "plain"}
    for name, path in found.files.items():  # as S3 has them: without mode
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes(path.read_bytes())
    subprocess.run(["sh", "-e", "-c", "\n".join(found.commands)], cwd=copy, check=True)
    assert subprocess.run([copy / "deep" / "-it's $(x).sh"], check=True, capture_output=True).stdout == b"ran\n"
    assert (copy / "only" / "-l").read_text() == "plain"
    assert (copy / "folder").readlink() == Path("deep")
    assert not os.access(copy / "plain", os.X_OK)


def test_a_tree_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"0123456789")
    (tmp_path / "b").write_bytes(b"")
    monkeypatch.setattr(suite_files, "MOST", 1)
    with pytest.raises(UsageError, match="more than 1 files"):
        tree_files(tmp_path)
    monkeypatch.setattr(suite_files, "MOST", 2)
    assert len(tree_files(tmp_path).files) == 2
    monkeypatch.setattr(suite_files, "LARGEST", 9)
    with pytest.raises(UsageError, match="suites that run in a container on AWS are brought no more"):
        tree_files(tmp_path)


class Telling:
    """The script of the container that tells of results, in a shell here; `aws` copies the folder beside it."""

    def __init__(self, base: Path, aws: str = "") -> None:
        self.results, self.out, self.said = base / "results", base / "out", base / "said"
        self.results.mkdir()
        (base / "bin").mkdir()
        program = base / "bin" / "aws"
        program.write_text(f'#!/bin/sh\necho "$*" >> {base}/asked\n{aws or f"cp -r {self.results} {self.out}"}\n')
        program.chmod(0o755)
        self.asked = base / "asked"
        definition = plan(str(self.results)).definition("")
        (container,) = (each for each in definition["containerDefinitions"] if each["name"] == TELL)
        with self.said.open("wb") as said:
            self.process = subprocess.Popen(
                [*container["entryPoint"], *container["command"]],
                env={**os.environ, "PATH": f"{base / 'bin'}:{os.environ['PATH']}"},
                stdout=said,
            )

    def read(self) -> tuple[bytes, Results]:
        results = Results()
        lines = self.said.read_text().splitlines()
        assert max(map(len, lines), default=0) < 16 * 1024
        return b"".join(map(results.take, lines)), results

    def end(self) -> None:
        wait_for(self._listens, 30, "the script to take SIGTERM")
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(60) == 0

    def _listens(self) -> bool:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        caught = int(status.partition("SigCgt:")[2].split()[0], 16)
        return bool(caught >> (signal.SIGTERM - 1) & 1)


@pytest.fixture
def telling(tmp_path: Path) -> Any:
    started: list[Telling] = []

    def start(aws: str = "") -> Telling:
        started.append(Telling(tmp_path, aws))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()
        each.process.wait()


def test_results_come_whole_while_they_grow_and_files_at_the_end(telling: Any) -> None:
    here = telling()
    first, second = os.urandom(20_000) + b"\n", os.urandom(5000)
    (here.results / "results.jsonl").write_bytes(first)
    wait_for(lambda: here.read()[0] == first, 30, "the first results")
    with (here.results / "results.jsonl").open("ab") as more:
        more.write(second)
    (here.results / "reported.xml").write_text("<testsuite/>")
    here.end()
    data, results = here.read()
    assert data == first + second
    assert (results.end, results.broken) == ("0", False)
    assert (here.out / "reported.xml").read_text() == "<testsuite/>"
    assert here.asked.read_text().split()[:4] == ["s3", "cp", "--only-show-errors", "--recursive"]
    assert "--no-follow-symlinks" in here.asked.read_text()


def test_links_pipes_and_files_with_holes_hold_nothing_up(telling: Any) -> None:
    here = telling("exit 2")
    (here.results / "results.jsonl").symlink_to("/etc/hostname")
    os.mkfifo(here.results / "pipe")
    here.end()
    data, results = here.read()
    assert (data, results.end) == (b"", "2")


def test_of_what_is_too_large_the_junit_alone_is_brought_out(telling: Any) -> None:
    here = telling("true")
    with (here.results / "huge").open("wb") as huge:
        huge.truncate(2 << 30)
    (here.results / "reported.xml").write_text("<testsuite/>")
    here.end()
    assert here.read()[1].end == "large"
    target = "s3://files/suites/0123456789abcdef/out/reported.xml"
    assert here.asked.read_text() == f"s3 cp --only-show-errors reported.xml {target}\n"
