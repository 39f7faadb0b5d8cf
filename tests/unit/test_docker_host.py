"""A Docker host, as its API describes it, read as a topology."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from understudy.stacks.clone import secret_token
from understudy.stacks.sources import compose as compose_source
from understudy.stacks.sources.compose_writer import write
from understudy.stacks.sources.docker_host import COMPOSE, HostData, read
from understudy.stacks.topology import (
    Dependency,
    FileMount,
    HealthCheck,
    Logging,
    Mount,
    Network,
    NetworkLink,
    Port,
    Resources,
    Restart,
    Service,
    Topology,
    TopologyError,
    Ulimit,
    Volume,
)

DIGEST = "sha256:" + "d" * 64
IMAGE = {
    "Id": "sha256:" + "a" * 64,
    "RepoDigests": [f"other/postgres@sha256:{'e' * 64}", f"postgres@{DIGEST}"],
    "Config": {
        "Env": ["PATH=/bin", "PGDATA=/data"],
        "Entrypoint": ["docker-entrypoint.sh"],
        "Cmd": ["postgres"],
        "ExposedPorts": {"5432/tcp": {}},
        "Volumes": {"/data": {}},
        "Labels": {"vendor": "us"},
        "StopSignal": "SIGINT",
        "User": "postgres",
        "WorkingDir": "/srv",
        "Healthcheck": {"Test": ["CMD", "true"], "Interval": 10_000_000_000},
    },
}


def container(name: str = "db", **more: Any) -> dict[str, Any]:
    """A container of IMAGE that asks for nothing of its own; keywords replace parts of it, key by key."""
    own = IMAGE["Config"]
    base: dict[str, Any] = {
        "Id": more.pop("id", "0123456789abcdef" * 4),
        "Name": f"/{name}",
        "Image": IMAGE["Id"],
        "State": {"Status": "running", "ExitCode": 0},
        "Mounts": [],
        "Config": {**own, "Hostname": "0123456789ab", "Image": "postgres:15", "Tty": False, "OpenStdin": False},
        "HostConfig": {
            "NetworkMode": "shop_back",
            "RestartPolicy": {"Name": "", "MaximumRetryCount": 0},
            "LogConfig": {"Type": "json-file", "Config": {}},
            "Runtime": "runc",
            "IpcMode": "private",
            "ShmSize": 67108864,
        },
        "NetworkSettings": {"Networks": {"shop_back": {"Aliases": [name, "0123456789ab"]}}},
    }
    for key, value in more.items():
        base[key] = {**base[key], **value} if isinstance(value, dict) else value
    return base


def compose(service: str, number: int = 1, project: str = "shop", **labels: str) -> dict[str, Any]:
    """A container's configuration with Compose's labels."""
    given = {
        "project": project,
        "service": service,
        "container-number": str(number),
        "project.working_dir": "/srv/shop",
        **{key.replace("_", "-") if key != "depends_on" else key: value for key, value in labels.items()},
    }
    return {"Labels": {"vendor": "us", **{COMPOSE + key: value for key, value in given.items()}}}


def host(*containers: dict[str, Any], volumes: Mapping[str, Any] | None = None) -> HostData:
    labels = {COMPOSE + "project": "shop", COMPOSE + "network": "back"}
    networks = {
        "shop_back": {"Name": "shop_back", "Driver": "bridge", "Internal": True, "Labels": labels},
        "shared": {"Name": "shared", "Driver": "overlay", "Labels": {}},
    }
    return HostData(containers, {str(IMAGE["Id"]): IMAGE}, networks, volumes or {}, {}, "unix:///docker.sock")


def only(found: Topology) -> Service:
    (service,) = found.services.values()
    return service


def test_a_container_that_asks_for_nothing_is_its_image_by_digest() -> None:
    service = only(read(host(container())))
    assert service == Service(
        "db", kind="database", image=f"postgres:15@{DIGEST}", networks=(NetworkLink("back"),), labels={}
    )


def test_an_image_without_a_digest_is_named_by_its_id() -> None:
    data = host(container())
    data.images[str(IMAGE["Id"])] = {**IMAGE, "RepoDigests": []}  # type: ignore[index]  # it is a dict here
    service = only(read(data))
    assert (service.image, service.kind) == (IMAGE["Id"], "database")


def test_what_a_container_asks_for_is_the_services_own() -> None:
    found = container(
        Config={
            "Env": ["PATH=/bin", "PGDATA=/other", "MODE=fast", "EMPTY="],
            "Entrypoint": ["sh", "-c"],
            "Cmd": ["exec postgres"],
            "ExposedPorts": {"5432/tcp": {}, "9187": {}, "9187/tcp": {}, "80/tcp": {}},
            "Labels": {"vendor": "us", "team": "a"},
            "StopSignal": "SIGTERM",
            "StopTimeout": 30,
            "User": "root",
            "WorkingDir": "/",
            "Hostname": "db.internal",
            "Domainname": "example",
            "Tty": True,
            "OpenStdin": True,
            "Healthcheck": {"Test": ["CMD", "true"], "Interval": 5_000_000_000, "Retries": 3},
        },
        HostConfig={
            "PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": "8080"}, {"HostIp": "::1", "HostPort": ""}]},
            "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3},
            "LogConfig": {"Type": "syslog", "Config": {"tag": "db"}},
            "Runtime": "runsc",
            "IpcMode": "shareable",
            "ShmSize": 1024,
            "Memory": 100,
            "MemorySwap": 200,
            "MemoryReservation": 50,
            "NanoCpus": 1_500_000_000,
            "CpuShares": 512,
            "CpusetCpus": "0-1",
            "PidsLimit": 10,
            "Init": True,
            "ReadonlyRootfs": True,
            "CapAdd": ["CAP_NET_ADMIN"],
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
            "Sysctls": {"net.core.somaxconn": "1024"},
            "Ulimits": [{"Name": "nofile", "Soft": 1, "Hard": 2}],
            "GroupAdd": ["audio"],
            "ExtraHosts": ["legacy:10.0.0.1", "v6:::1"],
            "Dns": ["10.0.0.2"],
            "DnsSearch": ["internal"],
            "DnsOptions": ["ndots:2"],
        },
    )
    assert only(read(host(found))) == Service(
        "db",
        kind="database",
        image=f"postgres:15@{DIGEST}",
        environment={"PGDATA": "/other", "MODE": "fast", "EMPTY": ""},
        entrypoint=("sh", "-c"),
        command=("exec postgres",),
        ports=(Port(80, "8080"), Port(80, host_ip="::1")),
        expose=(Port(9187),),
        networks=(NetworkLink("back"),),
        labels={"team": "a"},
        stop_signal="SIGTERM",
        stop_grace_period=30.0,
        user="root",
        working_dir="/",
        hostname="db.internal",
        domainname="example",
        tty=True,
        stdin_open=True,
        healthcheck=HealthCheck(None, 5.0, None, None, 3),
        restart=Restart("on-failure", 3),
        logging=Logging("syslog", {"tag": "db"}),
        runtime="runsc",
        ipc="shareable",
        resources=Resources(
            cpus=1.5, memory=100, pids=10, memory_reservation=50, cpu_shares=512, cpuset="0-1", shm=1024
        ),
        init=True,
        read_only=True,
        cap_add=("NET_ADMIN",),
        cap_drop=("ALL",),
        security_opt=("no-new-privileges",),
        sysctls={"net.core.somaxconn": "1024"},
        ulimits=(Ulimit("nofile", 1, 2),),
        group_add=("audio",),
        extra_hosts=(("legacy", "10.0.0.1"), ("v6", "::1")),
        dns=("10.0.0.2",),
        dns_search=("internal",),
        dns_opt=("ndots:2",),
    )


def test_compose_labels_say_project_service_number_dependencies_and_names() -> None:
    db = container(
        "shop-db-1",
        Config=compose("db"),
        NetworkSettings={"Networks": {"shop_back": {"Aliases": ["shop-db-1", "db", "db.internal"]}}},
    )
    first = container(
        "shop-web-1",
        id="1" * 64,
        Config=compose("web", depends_on="migrate:service_completed_successfully:false,db:service_healthy:true,gone"),
    )
    second = container("shop-web-2", id="2" * 64, Config=compose("web", 2))
    job = container("the-job", id="3" * 64, Config=compose("migrate"), State={"Status": "exited", "ExitCode": 0})
    found = read(host(second, first, job, db))
    assert found.name == "shop"
    assert found.networks == {"back": Network("back", internal=True)}
    assert found.services["db"].networks == (NetworkLink("back", ("db.internal",)),)
    assert found.services["web"].replicas == 2
    assert found.services["web"].container_name is None
    assert found.services["web"].depends_on == (
        Dependency("db", "healthy"),
        Dependency("gone", required=False),
        Dependency("migrate", "completed"),
    )
    assert (found.services["migrate"].kind, found.services["migrate"].container_name) == ("job", "the-job")


def test_mounts_below_the_projects_folder_are_relative_and_an_images_volume_is_not_the_services() -> None:
    volumes = {
        "shop_data": {
            "Name": "shop_data",
            "Driver": "local",
            "Labels": {COMPOSE + "project": "shop", COMPOSE + "volume": "data", "keep": "yes"},
            "Options": {"type": "nfs"},
        },
    }
    found = container(
        Config=compose("db"),
        HostConfig={
            "Binds": ["/srv/shop/init.sql:/init.sql:ro", "shop_data:/var/data", "/anonymous"],
            "Mounts": [{"Type": "tmpfs", "Target": "/run", "TmpfsOptions": {"SizeBytes": 1024, "Mode": 0o1777}}],
            "Tmpfs": {"/tmp": "size=64m,ro"},  # noqa: S108 - a path in a container
        },
        Mounts=[
            {"Type": "volume", "Name": "x" * 64, "Destination": "/data", "RW": True},
            {"Type": "volume", "Name": "y" * 64, "Destination": "/anonymous", "RW": True},
            {"Type": "volume", "Name": "shop_data", "Destination": "/var/data", "RW": True, "Mode": "rw"},
            {"Type": "bind", "Source": "/srv/shop/init.sql", "Destination": "/init.sql", "RW": False},
            {"Type": "bind", "Source": "/etc/localtime", "Destination": "/etc/localtime", "RW": False},
            {"Type": "tmpfs", "Destination": "/run"},
        ],
    )
    topology = read(host(found, volumes=volumes))
    assert only(topology).mounts == (
        Mount("bind", "/init.sql", "init.sql", read_only=True),
        Mount("volume", "/var/data", "data"),
        Mount("volume", "/anonymous"),
        Mount("tmpfs", "/run", options=(("mode", "1777"), ("size", "1024"))),
        Mount("tmpfs", "/tmp", read_only=True, options=(("size", "67108864"),)),  # noqa: S108 - in a container
    )
    assert topology.volumes == {"data": Volume("data", {"keep": "yes"}, options={"type": "nfs"})}
    (change,) = topology.changes
    assert (change.path, change.production, change.clone) == (
        "services.db.volumes",
        "/etc/localtime:/etc/localtime",
        None,
    )


def test_what_a_topology_has_no_place_for_is_on_the_record() -> None:
    found = container(
        HostConfig={
            "Privileged": True,
            "NetworkMode": "host",
            "PidMode": "host",
            "OomScoreAdj": -500,
            "DeviceRequests": [{"Count": -1}],
            "Devices": [{"PathOnHost": "/dev/kvm", "PathInContainer": "/dev/kvm", "CgroupPermissions": "rwm"}],
        },
        NetworkSettings={"Networks": {"host": {}, "shared": {"IPAMConfig": {"IPv4Address": "10.0.0.9"}}}},
    )
    topology = read(host(found))
    assert {change.path: change.production for change in topology.changes} == {
        "services.db.privileged": "true",
        "services.db.network_mode": "host",
        "services.db.pid": "host",
        "services.db.oom_score_adj": "-500",
        "services.db.gpus": "[{'Count': -1}]",
        "services.db.devices": "/dev/kvm",
        "services.db.networks.shared.ipv4_address": "10.0.0.9",
        "networks.shared.driver": "overlay",
    }
    assert len(topology.warnings) == len(topology.changes)


def test_a_network_that_the_project_did_not_make_is_external() -> None:
    found = container(Config=compose("db"), NetworkSettings={"Networks": {"shared": {}}})
    assert read(host(found)).networks["shared"].external


def test_a_container_in_anothers_network_names_that_service() -> None:
    sidecar = container("sidecar", id="f" * 64, HostConfig={"NetworkMode": "container:" + "0123456789abcdef" * 4})
    sidecar["NetworkSettings"]["Networks"] = {}
    found = read(host(container(), sidecar)).services["sidecar"]
    assert (found.network_of, found.networks, found.hostname) == ("db", (), None)


def test_values_that_look_like_secrets_are_declared_and_not_copied() -> None:
    db = container(
        Config={
            "Env": ["POSTGRES_PASSWORD=open-sesame", "POSTGRES_USER=app", "PASSWORD_FILE=/run/x", "TOKEN_TTL=3600"],
            "Labels": {"note": "open-sesame"},
        }
    )
    web = container(
        "web",
        id="f" * 64,
        Config={
            "Env": ["PGPASSWORD=open-sesame", "API_TOKEN=t0k3n-x", "CACHE=redis://:hunter22@cache/0"],
            "Cmd": ["serve", "--dsn=postgres://app:open-sesame@db/app", "--cache", "redis://:hunter22@cache/1"],
        },
    )
    other = container("worker", id="e" * 64, Config={"Env": ["PGPASSWORD=open-sesame", "API_TOKEN=another-one"]})
    topology = read(host(db, web, other))
    assert topology.secrets == ("PGPASSWORD", "API_TOKEN", "CACHE_PASSWORD", "WORKER_API_TOKEN")
    assert topology.services["db"].environment == {
        "POSTGRES_PASSWORD": secret_token("PGPASSWORD"),
        "POSTGRES_USER": "app",
        "PASSWORD_FILE": "/run/x",
        "TOKEN_TTL": "3600",
    }
    assert topology.services["web"].environment == {
        "PGPASSWORD": secret_token("PGPASSWORD"),
        "API_TOKEN": secret_token("API_TOKEN"),
        "CACHE": f"redis://:{secret_token('CACHE_PASSWORD')}@cache/0",
    }
    assert topology.services["web"].command == (
        "serve",
        f"--dsn=postgres://app:{secret_token('PGPASSWORD')}@db/app",
        "--cache",
        f"redis://:{secret_token('CACHE_PASSWORD')}@cache/1",
    )
    assert topology.services["worker"].environment["API_TOKEN"] == secret_token("WORKER_API_TOKEN")
    assert topology.services["db"].labels == {}
    for value in ("open-sesame", "t0k3n-x", "hunter22", "another-one"):
        assert value not in repr(topology)


def test_what_is_bound_where_compose_mounts_secrets_is_a_declared_secret() -> None:
    found = container(
        Config=compose("db"),
        Mounts=[
            {"Type": "bind", "Source": "/srv/shop/pw.txt", "Destination": "/run/secrets/db-password", "RW": False},
            {"Type": "bind", "Source": "/etc/keys/k", "Destination": "/run/secrets/api_key", "RW": False},
        ],
    )
    topology = read(host(found))
    assert only(topology).files == (
        FileMount("secret", "api_key", "/run/secrets/api_key", content=secret_token("api_key")),
        FileMount("secret", "db-password", "/run/secrets/db-password", content=secret_token("db_password")),
    )
    assert (only(topology).mounts, topology.changes) == ((), ())
    assert topology.secrets == ("api_key", "db_password")
    back = compose_source.read(write(topology), "topology.yaml", variables={}, read_file=lambda _: None)
    assert back.services == topology.services
    assert back.secrets == topology.secrets


def test_environments_one_off_containers_and_dead_ones_are_named_and_left_out() -> None:
    clone = container("clone", id="1" * 64, Config={"Labels": {"dev.understudy.environment": "e123"}})
    once = container("once", id="2" * 64, Config=compose("db", oneoff="True"))
    dead = container("dead", id="3" * 64, State={"Status": "exited", "ExitCode": 137})
    found = read(host(container(), clone, once, dead))
    assert list(found.services) == ["db"]
    assert [warning.split(" container ")[1] for warning in found.warnings] == [
        "clone belongs to an environment of Understudy: left out",
        "once was started by `docker compose run` for once: left out",
        "dead does not run, it is exited: left out",
    ]


def test_two_projects_with_one_service_name_are_told_apart() -> None:
    one = container("a-db-1", id="1" * 64, Config=compose("db", project="a"))
    two = container("b-db-1", id="2" * 64, Config=compose("db", project="b"))
    assert sorted(read(host(one, two)).services) == ["a.db", "b.db"]


def test_a_host_without_containers_is_no_production() -> None:
    with pytest.raises(TopologyError, match="no container"):
        read(host())
