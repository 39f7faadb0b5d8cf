"""The parts of the plan: sizes, room on the load balancer, names that are called, rewriting, files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from aws.plans import ENV, plan_of, planned, service, topology
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.errors import LimitError, UsageError
from understudy.stacks import aws_names, ground
from understudy.stacks.align import aligned
from understudy.stacks.aws.files import LARGEST
from understudy.stacks.aws.limits import HIGHEST, MOST, hold_room, priority
from understudy.stacks.aws.plan import Alias, AwsPlan, Source
from understudy.stacks.aws.sizes import PAIRS, fitting
from understudy.stacks.clone import secret_token
from understudy.stacks.derive import derive, profile_named
from understudy.stacks.secret_rules import SecretStore
from understudy.stacks.topology import Dependency, FileMount, HealthCheck, Mount, NetworkLink, Port, Topology, Volume

MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("cpus", "memory", "cpu", "mib"),
    [
        (None, None, 256, 512),
        (0.25, 448 * MIB, 256, 512),
        (0.25, 449 * MIB, 256, 1024),
        (0.3, None, 512, 1024),
        (1.0, 192 * MIB, 1024, 2048),
        (None, 5000 * MIB, 1024, 5120),
        (3.0, 100 * MIB, 4096, 8192),
        (16.0, 100 * 1024 * MIB, 16384, 106496),
    ],
)
def test_the_smallest_size_that_fits_is_chosen(cpus: float | None, memory: int | None, cpu: int, mib: int) -> None:
    size = fitting(cpus, memory, "it")
    assert (size.cpu, size.memory) == (cpu, mib)


@settings(max_examples=100, deadline=None)
@given(st.floats(0.01, 16), st.integers(6 * MIB, 119 * 1024 * MIB))
def test_every_size_is_one_that_fargate_has_and_fits(cpus: float, memory: int) -> None:
    size = fitting(cpus, memory, "it")
    assert size.memory in dict(PAIRS)[size.cpu]
    assert size.cpu >= cpus * 1024 - 1
    assert size.memory * MIB >= memory


@pytest.mark.parametrize(("cpus", "memory"), [(17.0, None), (None, 121 * 1024 * MIB)])
def test_what_is_larger_than_fargate_is_refused(cpus: float | None, memory: int | None) -> None:
    with pytest.raises(UsageError, match="Fargate's largest task"):
        fitting(cpus, memory, "it")


def test_room_is_held_before_anything_is_made() -> None:
    hold_room(MOST - 1, MOST - 1)
    for groups, rules in ((MOST, 0), (0, MOST)):
        with pytest.raises(LimitError, match="100 are the most"):
            hold_room(groups, rules)
    hold_room(0, 150, most_rules=200)


def test_a_priority_is_the_environments_own_and_free() -> None:
    first = priority("eabc", ())
    assert first == priority("eabc", ()) != priority("eabd", ())
    assert 1 <= first <= HIGHEST
    assert priority("eabc", {first}) == first % HIGHEST + 1
    assert priority("eabc", set(range(1, HIGHEST + 1)) - {7}) == 7
    with pytest.raises(LimitError, match="Every priority"):
        priority("eabc", range(1, HIGHEST + 1))


def told(plan: AwsPlan, name: str) -> dict[str, str]:
    (main,) = [c for c in plan.service(name).task.containers if c.definition["name"] == name]
    return {each["name"]: each["value"] for each in main.definition.get("environment", [])}


def reasons(plan: AwsPlan) -> dict[str, tuple[str | None, str | None]]:
    return {change.path: (change.production, change.clone) for change in plan.changes}


def test_a_service_has_the_name_that_callers_use_and_others_are_told_it() -> None:
    db = service("db", kind="database", networks=(NetworkLink("back", ("db.internal",)),))
    plan = plan_of(
        db,
        service("a", environment={"DATABASE_URL": "postgres://u:p@db.internal:5432/db"}),
        service("b", environment={"DB_HOST": "db.internal", "NAME": "db"}),
        service("c", environment={"DATABASE_URL": "postgres://db:db@db:5432/db"}, command=("wait", "--host", "x")),
    )
    assert plan.service("db").aliases == (Alias("db.internal", 5432),)
    assert told(plan, "c")["DATABASE_URL"] == "postgres://db:db@db.internal:5432/db"
    assert told(plan, "b")["NAME"] == "db"
    assert reasons(plan)["services.db.networks.names"] == ("db, db.internal", "db.internal")
    assert "services.c.environment.DATABASE_URL" in reasons(plan)


def test_a_port_is_the_declared_the_called_or_the_usual_one() -> None:
    caller = service("a", environment={"X_HOST": "api", "URL": "http://api:9000", "PGHOST": "db", "Y_HOST": "odd"})
    plan = plan_of(
        service("api", expose=(Port(8000),)), service("db", image="registry:5/postgres:15"), service("odd"), caller
    )
    assert plan.service("api").aliases == (Alias("api", 8000), Alias("api", 9000))
    assert plan.service("db").aliases == (Alias("db", 5432),)
    assert plan.service("odd").aliases == ()
    assert reasons(plan)["services.odd.expose"] == ("its image's ports", None)


def test_two_that_answer_alike_are_refused() -> None:
    both = NetworkLink("back", ("api",))
    with pytest.raises(UsageError, match="both answer as api:80"):
        plan_of(
            service("a", expose=(Port(80),), networks=(both,)),
            service("b", expose=(Port(80),), networks=(both,)),
            service("c", environment={"URL": "http://api"}),
        )


def test_who_calls_comes_after_and_a_circle_is_on_the_record() -> None:
    plan = plan_of(
        service("web", environment={"API_URL": "http://api:80"}),
        service("api", environment={"WEB_URL": "http://web:80"}, depends_on=(Dependency("db", "healthy"),)),
        service("db", kind="database"),
    )
    order = [each.logical for each in plan.services]
    assert order == ["db", "api", "web"]
    assert plan.service("web").after == ("api",)
    assert reasons(plan)["services.api.calls.web"] == ("web", None)


def test_waiting_for_what_keeps_running_is_refused() -> None:
    with pytest.raises(UsageError, match="waits for 'api' to complete"):
        plan_of(service("api"), service("web", depends_on=(Dependency("api", "completed"),)))


REFUSED: dict[str, dict[str, Any]] = {
    "privileged": {"privileged": True},
    "network_mode: host": {"host_network": True},
    "ipc": {"ipc": "service:other"},
    "pid": {"pid": "host"},
    "volumes_from": {"volumes_from": (("other", "ro"),)},
    "device_cgroup_rules": {"device_cgroup_rules": ("c 1:3 mr",)},
    "runtime": {"runtime": "nvidia"},
    "cap_add: NET_ADMIN": {"cap_add": ("NET_ADMIN",)},
    "sysctls: kernel.shmmax": {"sysctls": {"kernel.shmmax": "1"}},
    "UDP port 53": {"expose": (Port(53, protocol="udp"),)},
    "entrypoint: []": {"entrypoint": ()},
    "platform: linux/riscv64": {"platform": "linux/riscv64"},
    "volumes: /var/run": {"mounts": (Mount("bind", "/x", "/var/run"),)},
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_fargate_cannot_do_is_refused_by_name(what: str) -> None:
    with pytest.raises(UsageError, match=r"'web' cannot run on Fargate: .*" + what.replace("[", r"\[")) as refused:
        plan_of(service("other"), service("web", **REFUSED[what]))
    assert "--target docker" in str(refused.value)


def test_every_refusal_of_a_service_is_named_at_once() -> None:
    with pytest.raises(UsageError, match=r"privileged .*runtime"):
        plan_of(service("web", privileged=True, runtime="x"))


@pytest.mark.parametrize(
    "fields",
    [
        {"command": ("run", secret_token("KEY"))},
        {"entrypoint": (secret_token("KEY"),)},
        {"healthcheck": HealthCheck(("CMD", secret_token("KEY")))},
    ],
)
def test_a_secret_that_a_definition_would_show_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="holds a secret"):
        plan_of(service("web", **fields))


def test_a_value_that_several_have_is_one_secret() -> None:
    url = f"postgres://u:{secret_token('KEY')}@db/x"
    plan = plan_of(
        service("a", environment={"KEY": secret_token("KEY"), "URL": url}),
        service("b", environment={"K": secret_token("KEY"), "URL": url}),
    )
    assert [(each.logical, each.template) for each in plan.secrets] == [("KEY", secret_token("KEY")), ("a.URL", url)]
    assert plan.service("b").task.containers[0].secrets == {"K": "KEY", "URL": "a.URL"}


@pytest.mark.parametrize(
    ("said", "store", "name"),
    [
        ({}, "parameter", aws_names.parameter(ENV.id, "KEY")),
        ({"KEY": "parameter"}, "parameter", aws_names.parameter(ENV.id, "KEY")),
        ({"KEY": "secret"}, "secret", aws_names.secret(ENV.id, "KEY")),
    ],
)
def test_a_parameter_of_production_is_one_in_the_clone_unless_the_commit_says_otherwise(
    said: Mapping[str, SecretStore], store: str, name: str
) -> None:
    def web(secret: str, **more: Any) -> Topology:
        url = f"postgres://u:{secret_token(secret)}@db/x"
        given = {"KEY": secret_token(secret), "URL": url}
        return topology(service("web", environment=given), secrets=(secret,), **more)

    production, candidate = web("OF_PRODUCTION", secret_stores={"OF_PRODUCTION": "parameter"}), web("KEY")
    told, after = aligned(production, replace(candidate, secret_stores=said), references={})
    clone = derive(
        told, after, commit="c" * 40, profile=profile_named(after), unchanged_builds={}, ground=ground.ON_AWS
    )
    kept = {each.logical: (each.store, each.name) for each in planned(clone).secrets}
    assert kept == {"KEY": (store, name), "web.URL": ("secret", aws_names.secret(ENV.id, "web.URL"))}


def test_containers_that_share_a_volume_are_refused_and_others_have_a_disk() -> None:
    mount = (Mount("volume", "/data", "data"),)
    volumes = {"data": Volume("data")}
    with pytest.raises(UsageError, match="shares the volume 'data'"):
        plan_of(service("a", mounts=mount), service("b", mounts=mount), volumes=volumes)
    with pytest.raises(UsageError, match="shares the volume 'data'"):
        plan_of(service("a", mounts=mount, replicas=2), volumes=volumes)
    plan = plan_of(service("a", mounts=mount), volumes=volumes)
    assert plan.service("a").task.volumes == ()
    assert reasons(plan)["services.a.mounts./data"] == ("volume data at /data", "the task's disk")
    kept = plan_of(service("a", mounts=mount, read_only=True), volumes=volumes)
    assert kept.service("a").task.volumes == ("files-0",)


def test_files_are_named_by_their_content() -> None:
    mount = (Mount("bind", "/etc/app", "conf"),)
    one, two = (plan_of(service("a", mounts=mount), sources={"conf": Source({"x": c})}) for c in (b"1", b"2"))
    assert one.objects[0].key != two.objects[0].key
    assert one.service("a").task != two.service("a").task
    assert one.files is not None
    assert plan_of(service("a", mounts=mount)).files is None


@pytest.mark.parametrize(
    "files", [{str(n): b"" for n in range(201)}, {"large": b"x" * (LARGEST + 1)}], ids=["many", "large"]
)
def test_too_many_or_too_large_files_are_refused(files: dict[str, bytes]) -> None:
    with pytest.raises(UsageError, match="Copy them into its image"):
        plan_of(service("a", mounts=(Mount("bind", "/x", "conf"),)), sources={"conf": Source(files)})


def test_a_file_at_the_root_is_refused() -> None:
    with pytest.raises(UsageError, match="needs a folder below the root"):
        plan_of(service("a", files=(FileMount("config", "c", "/c", content="x"),)))


def test_an_environment_of_another_target_is_refused() -> None:
    from dataclasses import replace

    with pytest.raises(UsageError, match="is of docker:d, and the platform of aws"):
        plan_of(service("a"), environment=replace(ENV, target="docker:d"))
