"""Services that share a network, and jobs that fill a volume before: containers of one task on AWS."""

from __future__ import annotations

from typing import Any

import pytest
from aws.plans import declare, everything, everything_plan, plan_of, planned, service, topology
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.errors import UsageError
from understudy.stacks.aws.make import AwsOptions
from understudy.stacks.aws.plan import Alias, AwsPlan, Source
from understudy.stacks.clone import Clone, Endpoint, secret_token
from understudy.stacks.topology import (
    Dependency,
    HealthCheck,
    Managed,
    Mount,
    Port,
    Resources,
    Service,
    Volume,
)

MIB = 1024 * 1024
DATA = {"data": Volume("data")}


def inside(name: str, of: str, **fields: Any) -> Service:
    return service(name, networks=(), network_of=of, **fields)


def containers(plan: AwsPlan, name: str) -> dict[str, dict[str, Any]]:
    return {str(each.definition["name"]): dict(each.definition) for each in plan.service(name).task.containers}


def waits(plan: AwsPlan, name: str, container: str) -> dict[str, str]:
    return {each["containerName"]: each["condition"] for each in containers(plan, name)[container].get("dependsOn", [])}


def changed(plan: AwsPlan) -> dict[str, tuple[str | None, str | None]]:
    return {change.path: (change.production, change.clone) for change in plan.changes}


def test_what_shares_a_network_is_one_task_with_the_limits_secrets_and_rights_of_all() -> None:
    check = HealthCheck(("CMD", "ready"))
    plan = plan_of(
        inside("app", "proxy", ports=(Port(8000),), resources=Resources(cpus=0.5, memory=200 * MIB), replicas=2,
               environment={"KEY": secret_token("KEY"), "QUEUE": "s3://uploads/in"},
               depends_on=(Dependency("proxy", "healthy"), Dependency("init", "completed"), Dependency("db"))),
        service("proxy", expose=(Port(9901),), healthcheck=check, replicas=2, stop_grace_period=9.0,
                resources=Resources(cpus=0.5, memory=400 * MIB)),
        inside("init", "proxy", kind="job", replicas=2, depends_on=(Dependency("proxy"), Dependency("mail"))),
        service("db", kind="database"),
        service("mail"),
        service("uploads", kind="bucket", managed=Managed("s3", "uploads")),
        service("caller", environment={"A": "http://proxy:8000", "B": "http://proxy:9901"}),
        secrets=("KEY",),
    )  # fmt: skip
    assert [each.logical for each in plan.services if each.logical in {"proxy", "app", "init"}] == ["proxy"]
    task = plan.service("proxy")
    made = containers(plan, "proxy")
    assert {name: each["essential"] for name, each in made.items()} == {"proxy": True, "init": False, "app": True}
    assert waits(plan, "proxy", "app") == {"proxy": "HEALTHY", "init": "SUCCESS"}
    assert waits(plan, "proxy", "init") == {"proxy": "START"}
    assert (task.replicas, task.aliases) == (2, (Alias("proxy", 9901), Alias("proxy", 8000)))
    assert {name: [p["containerPort"] for p in each.get("portMappings", [])] for name, each in made.items()} == {
        "proxy": [9901],
        "init": [],
        "app": [8000],
    }
    assert set(task.after) == {"db", "mail"}
    assert plan.service("caller").after == ("proxy",)
    assert (task.task.cpu, task.task.memory) == (1024, 2048), "the sum, and 128 MiB for the one without a limit"
    streams = {each["logConfiguration"]["options"]["awslogs-stream-prefix"] for each in made.values()}
    assert (streams, made["proxy"]["stopTimeout"], made["init"]["startTimeout"]) == ({"understudy"}, 9, 120)
    (app,) = [each for each in task.task.containers if each.definition["name"] == "app"]
    assert app.secrets == {"KEY": "KEY"}
    assert any("s3:PutObject" in each.actions for each in task.task.statements), "what app may, the task's role may"
    assert changed(plan)["services.app.network_of"] == ("proxy", "a container in the task of proxy")


def test_the_load_balancer_leads_to_the_container_that_answers() -> None:
    web = inside("web", "proxy", kind="gateway", ports=(Port(8080),))
    clone = Clone(topology(service("proxy", expose=(Port(9901),)), web), endpoints=(Endpoint("web", 8080, "http"),))
    plan = planned(clone)
    assert plan.gateway is not None
    assert (plan.gateway.service, plan.gateway.task, plan.gateway.container) == ("web", "proxy", "web")
    assert plan.service("proxy").kind == "gateway"
    recording = declare(plan)
    assert set(recording.result) == {"web:8080"}
    (made,) = recording.of("Service", "aws:ecs")
    assert made.inputs["loadBalancers"] == [
        {"targetGroupArn": "arn:shop-in-targets", "containerName": "web", "containerPort": 8080}
    ]
    assert [each["portName"] for each in made.inputs["serviceConnectConfiguration"]["services"]] == [
        "tcp-9901",
        "tcp-8080",
    ]


def test_a_port_that_is_published_on_the_owner_for_another_is_one_port() -> None:
    vpn = service("vpn", ports=(Port(8080),))
    clone = Clone(topology(vpn, inside("app", "vpn", expose=(Port(8080),))), endpoints=(Endpoint("vpn", 8080, "http"),))
    plan = planned(clone)
    assert plan.gateway is not None
    assert (plan.gateway.container, plan.service("vpn").aliases) == ("vpn", (Alias("vpn", 8080),))
    assert "portMappings" not in containers(plan, "vpn")["app"]


def test_files_and_volumes_of_one_task_are_apart_or_shared_and_filled_before_any_starts() -> None:
    volume = Mount("volume", "/data", "data")
    plan = plan_of(
        service("web", mounts=(volume, Mount("bind", "/etc/app", "conf"))),
        inside(
            "log", "web", mounts=(Mount("volume", "/read", "data", read_only=True), Mount("bind", "/etc/x", "conf"))
        ),
        volumes=DATA,
        sources={"conf": Source({"a": b"1"})},
    )
    made, task = containers(plan, "web"), plan.service("web").task
    names = {n: {p["containerPath"]: p["sourceVolume"] for p in made[n]["mountPoints"]} for n in ("web", "log")}
    assert names["web"]["/data"] == names["log"]["/read"]
    assert names["web"]["/etc/app"] != names["log"]["/etc/x"]
    assert sorted(task.volumes) == sorted({*names["web"].values(), *names["log"].values()})
    (seed,) = [each for name, each in made.items() if ".seed." in name or "-seed-" in name]
    assert seed["image"] == "web:1", "the first that mounts it fills it"
    fetchers = [name for name, each in made.items() if each["image"].startswith("public.ecr.aws/aws-cli")]
    (last,) = waits(plan, "web", "web")
    assert len(fetchers) == 2
    assert waits(plan, "web", "log") == waits(plan, "web", "web") == {last: "SUCCESS"}
    seen, at = set(), last
    while at:
        seen.add(at)
        at = next(iter(waits(plan, "web", at)), "")
    assert seen == {*fetchers, seed["name"]}, "they run one after the other, and all before"
    assert len({each.key for each in plan.objects}) == 2


def test_a_job_that_fills_a_volume_of_the_one_that_waits_for_it_runs_in_its_task() -> None:
    out, read = (Mount("volume", target, "data") for target in ("/out", "/in"))
    plan = plan_of(
        service("first", kind="job", mounts=(out,), depends_on=(Dependency("db"),)),
        service("second", kind="job", mounts=(out,), depends_on=(Dependency("first", "completed"),)),
        service("web", mounts=(read,), depends_on=(Dependency("second", "completed"),)),
        service("alone", kind="job"),
        service("db", kind="database"),
        volumes=DATA,
    )
    assert {each.logical for each in plan.services} == {"web", "alone", "db"}
    assert plan.service("web").after == ("db",)
    assert set(containers(plan, "web")) >= {"web", "first", "second"}
    assert waits(plan, "web", "web")["second"] == waits(plan, "web", "second")["first"] == "SUCCESS"
    assert changed(plan)["services.first.network_of"] == ("a network of its own", "a container in the task of web")
    with pytest.raises(UsageError, match="shares the volume 'data'"):
        plan_of(
            service("fill", kind="job", mounts=(out,)),
            service("web", mounts=(read,), depends_on=(Dependency("fill", "completed"),)),
            service("other", depends_on=(Dependency("fill", "completed"),)),
            volumes=DATA,
        )


def test_health_that_ecs_cannot_ask_for_is_a_start_on_the_record() -> None:
    plan = plan_of(service("proxy"), inside("app", "proxy", depends_on=(Dependency("proxy", "healthy"),)))
    assert waits(plan, "proxy", "app") == {"proxy": "START"}
    assert changed(plan)["services.app.depends_on.proxy"] == ("proxy healthy", "proxy started")


MOUNTED = tuple(Mount("bind", f"/etc/{number}/file", f"file-{number}") for number in range(9))
SINGLE = {f"file-{number}": Source({"file": b"x"}, single=True) for number in range(9)}


@pytest.mark.parametrize(
    ("services", "why"),
    [
        ((service("j", kind="job"), inside("s", "j")), "'s' cannot run on Fargate: .*'j', which is a job"),
        ((service("o", replicas=2), inside("s", "o")), "'s' cannot run on Fargate: .*'o', which has 2 tasks, .* 1"),
        ((service("o"), inside("s", "o", platform="linux/arm64")), "o is for X86_64, s is for ARM64"),
        ((service("o", mounts=MOUNTED), inside("s", "o")), "'o' would have 12 containers"),
        (
            (service("o"), inside("j", "o", kind="job"), service("x", depends_on=(Dependency("j", "completed"),))),
            "'x' waits for 'j' to complete, which is a container in the task of 'o'",
        ),
        (
            (
                service("o"),
                service("x", depends_on=(Dependency("o"),)),
                inside("s", "o", depends_on=(Dependency("x"),)),
            ),
            "tasks wait for each other: (o -> x -> o|x -> o -> x)",
        ),
        ((service("o"), inside("s", "o", privileged=True)), "'s' cannot run on Fargate: privileged"),
    ],
)
def test_what_cannot_be_one_task_is_refused_by_name(services: tuple[Service, ...], why: str) -> None:
    with pytest.raises(UsageError, match=why) as refused:
        plan_of(*services, sources=SINGLE)
    assert refused.value.hint


def test_spot_is_for_a_task_in_which_nothing_is_lost() -> None:
    beside = inside("log", "web")
    spot = AwsOptions(spot=True)
    assert plan_of(service("web"), beside, options=spot).service("web").spot
    assert not plan_of(service("web", kind="database"), beside, options=spot).service("web").spot


@st.composite
def tasks(draw: st.DrawFn) -> tuple[Service, ...]:
    """Services in the network of `a`, which may be waited for, and ones beside them."""
    names = ["b", "c", "d", "e"][: draw(st.integers(1, 4))]
    found = [service("a", replicas=2, expose=(Port(80),))]
    for place, name in enumerate(names):
        jobs = [each.name for each in found if each.kind == "job"]
        others = [Dependency(each, "completed" if each in jobs else "started") for each in ["a", *names[:place]]]
        depends_on = tuple(draw(st.lists(st.sampled_from(others), unique=True)))
        kind = draw(st.sampled_from(["service", "job"]))
        found.append(
            inside(name, draw(st.sampled_from(["a", *names[:place]])), kind=kind, replicas=2, depends_on=depends_on)
        )
    return tuple(draw(st.permutations(found)))


@settings(max_examples=40, deadline=None)
@given(tasks())
def test_every_such_group_is_one_task_whose_containers_start_in_its_order(services: tuple[Service, ...]) -> None:
    plan = plan_of(*services)
    (task,) = plan.services
    assert (task.logical, task.replicas) == ("a", 2)
    order = [str(each.definition["name"]) for each in task.task.containers]
    assert sorted(order) == sorted(each.name for each in services)
    for each in services:
        assert waits(plan, "a", each.name) == {
            d.service: {"completed": "SUCCESS", "started": "START"}[d.condition] for d in each.depends_on
        }
        assert all(order.index(d.service) < order.index(each.name) for d in each.depends_on)
    assert any(each.definition["essential"] for each in task.task.containers)


def test_every_service_is_a_container_of_one_task_and_the_others_are_only_its_own() -> None:
    plan = everything_plan()
    tasks = {name: each.logical for each in plan.services for name in containers(plan, each.logical)}
    held = {name for name, each in everything().topology.services.items() if each.managed is None}
    assert held <= set(tasks)
    assert {name for name in held if tasks[name] != name} == {"beside", "fill"}
    assert {tasks[name] for name in ("beside", "fill")} == {"full"}
