"""Plain `pulumi` on AWS: a project of a user's own, on a platform that the command made, on moto."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from plain_pulumi import Plain, environment_of, resources
from pulumi import RunError
from pulumi.runtime import set_all_config
from pulumi.runtime.mocks import Mocks, set_mocks
from support import Project, make_project

from understudy.lease import LeaseStore
from understudy.program import main
from understudy.provider.server import PackageServer
from understudy.receipts import KeptReceipt, find
from understudy.stacks.identity import LABEL, Environment, environment_id, environment_key, ownership_labels
from understudy.targets.interface import Outcome

from .conftest import ACCOUNT, REGION, Moto
from .programs import STALE

pytestmark = [pytest.mark.pulumi, pytest.mark.xdist_group("aws")]

HERE = f"aws:{ACCOUNT}:{REGION}"

TOPOLOGY = """\
name: preview
services:
  web:
    image: registry.example/web:1
    environment: {GREETING: hello, TOKEN: of-production}
    ports: ["8080"]
x-understudy:
  secrets: [TOKEN]
"""

BUILT = "services: {web: {build: web, ports: ['8080']}}\n"

NO_REGISTRY = f"""\
[platform]
account = "{ACCOUNT}"
region = "{REGION}"
vpc_id = "vpc-0123"
subnet_ids = ["subnet-1", "subnet-2"]
cluster_arn = "arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/previews"
listener_arn = "arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:listener/app/previews/1/2"
alb_arn = "arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:loadbalancer/app/previews/1"
alb_dns_name = "previews.example"
alb_security_group_id = "sg-0123"
execution_role_arn = "arn:aws:iam::{ACCOUNT}:role/previews-execution"
bucket = "previews-state"
"""

CONFIGURED = f"""\
config:
  pulumi:disable-default-providers:
    - aws
  understudy:aws_accounts: {ACCOUNT},111111111111
  understudy:target: aws
"""

CONFIG = {
    "understudy:target": "aws",
    "understudy:aws_accounts": f"{ACCOUNT},111111111111",
    "pulumi:disable-default-providers": '["aws"]',
}


@pytest.fixture(scope="module")
def project(aws_provider: PackageServer, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project as docs/pulumi.md has it, in a repository of its own; no Docker answers."""
    folder = tmp_path_factory.mktemp("plain-aws")
    project = make_project(folder / "previews", folder / "state")
    project.env |= {"PULUMI_DEBUG_PROVIDERS": f"aws:{aws_provider.port}", "DOCKER_HOST": "tcp://127.0.0.1:1"}
    files = {
        "compose.yaml": TOPOLOGY,
        "built.yaml": BUILT,
        "web/Dockerfile": "FROM scratch\n",
        "__main__.py": "from understudy.program import main\n\nmain()\n",
        "Pulumi.yaml": f"name: previews\nruntime: {{name: python, options: {{virtualenv: {sys.prefix}}}}}\n",
    }
    for name, text in files.items():
        (project.folder / name).parent.mkdir(exist_ok=True)
        (project.folder / name).write_text(text, encoding="utf-8")
    project.commit("Write a program")
    return project


@pytest.fixture(scope="module")
def pulumi(project: Project) -> Plain:
    """Plain `pulumi` with a stack that is configured as docs/pulumi.md has it, on a platform that the command made."""
    made = project.understudy("platform", "up", "--aws-accounts", ACCOUNT)
    assert made.code == 0, made.text
    plain = Plain(project)
    plain("stack", "init", "dev")
    with (project.folder / "Pulumi.dev.yaml").open("a", encoding="utf-8") as stack:
        stack.write(CONFIGURED)  # as `pulumi config set` does it, at a third of a second each
    return plain


def id_of(project: Project) -> str:
    """The environment's id."""
    key = environment_key("pulumi", project="previews", stack="dev")
    return environment_id(str(project.root), "compose.yaml", key)


class _Nothing(Mocks):
    """Of an engine that is asked for nothing."""

    def new_resource(self, args: Any) -> Any:
        raise AssertionError(args)

    def call(self, args: Any) -> Any:
        raise AssertionError(args)


Refused = Callable[..., str]


@pytest.fixture
def refused(pulumi: Plain, project: Project, moto: Moto, monkeypatch: pytest.MonkeyPatch) -> Iterator[Refused]:
    """Runs the program in this process and returns why it refuses; nothing is made, no lease is left, no tree."""
    monkeypatch.chdir(project.folder)
    for name, value in pulumi.env.items():
        monkeypatch.setenv(name, value)
    moto.calls.clear()

    def run(config: dict[str, str], *, preview: bool = True) -> str:
        set_mocks(_Nothing(), project="previews", stack="dev", preview=preview)
        set_all_config({key: value for key, value in (CONFIG | config).items() if value})
        with pytest.raises(RunError) as told:
            main()
        return str(told.value)

    yield run
    set_all_config({})
    assert not moto.calls
    assert not project.leases()
    assert not pulumi.trees()


def test_a_stack_that_lets_the_engine_make_providers_of_its_own_is_refused(refused: Refused) -> None:
    hint = "pulumi config set --path 'pulumi:disable-default-providers[0]' aws"
    assert hint in refused({"pulumi:disable-default-providers": ""})
    assert hint in refused({"pulumi:disable-default-providers": '["docker"]'})


def test_a_preview_refuses_what_an_update_would(
    refused: Refused, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = refused({"understudy:aws_accounts": "999999999999"})
    assert f"account {ACCOUNT} is not among those allowed (999999999999)" in other
    assert "the stack understudy-platform/other, and there is none" in refused({"understudy:aws_platform": "other"})
    monkeypatch.setenv("UNDERSTUDY_MAX_HOURLY_COST", "0.001")
    assert f"there is no table of prices for {REGION}" in refused({})
    place = project.folder / "understudy.toml"
    place.write_text(NO_REGISTRY, encoding="utf-8")
    try:
        built = refused({"understudy:topology": "built.yaml"})
    finally:
        place.unlink()
    assert "The images of web would have to be built, and the platform has no registry" in built


def test_an_update_that_is_refused_leaves_no_lease(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERSTUDY_MAX_HOURLY_COST", "0")  # the stack's configuration wins
    told = refused({"understudy:max_hourly_cost": "0.001"}, preview=False)
    assert f"there is no table of prices for {REGION}" in told


def test_a_limit_of_the_cost_that_is_no_number_is_named_as_it_was_given(refused: Refused) -> None:
    told = refused({"understudy:max_hourly_cost": "a dollar"})
    assert "understudy:max_hourly_cost in the stack's configuration: 'a dollar' is not a number from 0" in told


def test_what_another_backend_has_of_the_same_environment_is_left_to_it(
    refused: Refused, project: Project, moto: Moto
) -> None:
    environment = id_of(project)
    tags = ownership_labels(Environment(environment, HERE, "preview", datetime.now(UTC), "bothers"))
    queue = moto.client("sqs").create_queue(QueueName="theirs", tags=tags)["QueueUrl"]
    told = refused({}, preview=False)
    moto.client("sqs").delete_queue(QueueUrl=queue)  # it is there still
    assert f"Environment {environment} is on {HERE} already (1 objects, such as queue theirs)" in told
    assert "made by another backend, bothers" in told


class Leased(list[tuple[str, str, dict[str, Any]]]):
    """Calls that are made to AWS; `first`: the leases that there were at the first that makes something."""

    def __init__(self, project: Project) -> None:
        super().__init__()
        self._project = project
        self.first: list[dict[str, object]] = []

    def append(self, call: tuple[str, str, dict[str, Any]]) -> None:
        if call[1].startswith("create_") and not self.first:
            self.first = self._project.leases() or [{"id": "none"}]
        super().append(call)

    def changing(self) -> set[str]:
        """The operations among them that change something."""
        return {each for _, each, _ in self if not each.startswith(("describe_", "list_", "get_"))}


def owned(moto: Moto, environment: str) -> list[str]:
    """What carries the environment's tag, without what the tagging API shows of the dead."""
    found = moto.arns(**{f"{LABEL}environment": environment})
    return [arn for arn in found if not any(part in arn for part in STALE)]


def definitions(moto: Moto, environment: str) -> set[str]:
    """The statuses of all revisions of the environment's task definitions."""
    ecs = moto.client("ecs")
    found = set()
    for status in ("ACTIVE", "INACTIVE"):
        arns = ecs.list_task_definitions(status=status)["taskDefinitionArns"]
        found |= {status for arn in arns if arn.rpartition("/")[2].startswith(environment)}
    return found


def proof_of(lease: dict[str, object]) -> KeptReceipt:
    """The receipt that is kept of the lease's environment."""
    found = find(LeaseStore.beside(str(lease["backend"])), str(lease["id"]))
    assert found is not None
    return found


def test_a_preview_creates_nothing(project: Project, pulumi: Plain, moto: Moto) -> None:
    moto.calls = calls = Leased(project)
    seen = pulumi("preview")
    assert (resources(seen), environment_of(seen)) == ({"to create"}, id_of(project))
    assert not calls.changing()
    assert not project.leases()
    assert not pulumi.trees()


def test_up_again_and_changed_and_destroyed_and_made_anew(project: Project, pulumi: Plain, moto: Moto) -> None:
    moto.calls = calls = Leased(project)
    assert resources(pulumi("up", "--yes", "--skip-preview")) == {"created"}
    outputs = pulumi.outputs()
    environment = outputs["environment"]
    assert environment == id_of(project)
    (lease,) = project.leases()
    assert [each["id"] for each in calls.first] == [lease["id"]] == [environment]
    assert (lease["stack"], lease["state"], lease["target"]) == ("dev", "handed over", HERE)
    assert lease["commit"] == outputs["commit"] == project.git("rev-parse", "HEAD")
    (endpoint,) = outputs["endpoints"].values()
    assert endpoint["host"] == f"{environment}.preview.internal"
    made = owned(moto, environment)
    (secret,) = [arn for arn in made if ":secretsmanager:" in arn]
    value = moto.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"]
    assert value != "of-production"
    (state,) = Path(project.env["XDG_STATE_HOME"]).glob("understudy/backend/.pulumi/stacks/previews/dev.json")
    assert value not in state.read_text(encoding="utf-8")

    assert resources(pulumi("up", "--yes", "--skip-preview")) == {"unchanged"}
    assert owned(moto, environment) == made

    (project.folder / "compose.yaml").write_text(TOPOLOGY.replace("hello", "good day"), encoding="utf-8")
    commit = project.commit("Greet otherwise")
    calls.clear()
    pulumi("up", "--yes", "--skip-preview")
    (renewed,) = project.leases()
    assert (renewed["id"], renewed["commit"], renewed["created"]) == (environment, commit, lease["created"])
    assert pulumi.outputs()["commit"] == commit
    again = {"tag_resource"}  # the tests' provider says the tags of what it updates again
    assert calls.changing() - again == {"register_task_definition", "update_service", "deregister_task_definition"}
    ((_, task),) = moto.asked("register_task_definition")
    assert {"name": "GREETING", "value": "good day"} in task["containerDefinitions"][0]["environment"]

    assert resources(pulumi("destroy", "--yes", "--skip-preview")) == {"deleted"}
    assert not owned(moto, environment)
    assert project.leases() == [renewed]
    assert definitions(moto, environment) == {"INACTIVE"}

    assert resources(pulumi("up", "--yes", "--skip-preview")) == {"created"}
    (anew,) = project.leases()
    assert (anew["id"], anew["state"], anew["not_after"]) == (environment, "handed over", pulumi.outputs()["notAfter"])
    assert (anew["created"] == renewed["created"], anew["not_after"] == renewed["not_after"]) == (False, False)
    proof = proof_of(renewed)
    assert (proof.receipt.outcome, proof.commit, proof.created) == (Outcome.CLEAN, commit, renewed["created"])
    assert definitions(moto, environment) == {"ACTIVE"}

    assert resources(pulumi("destroy", "--yes", "--skip-preview")) == {"deleted"}
    closed = project.understudy("list", env={"UNDERSTUDY_TARGET": "aws", "UNDERSTUDY_AWS_ACCOUNTS": ACCOUNT})
    assert (closed.code, closed.out) == (0, "no environments\n"), closed.text
    assert not pulumi.trees()
    assert not definitions(moto, environment)
    proof = proof_of(anew)
    assert (proof.receipt.outcome, proof.receipt.target, proof.created) == (Outcome.CLEAN, HERE, anew["created"])
