"""Docker's resources in the export of a Pulumi stack: containers, networks, volumes, images."""

from __future__ import annotations

from pulumi_stack import SECRET, Stack

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
    Ulimit,
    Volume,
)

DIGEST = "sha256:" + "d" * 64


def test_a_container_is_a_service_with_all_that_its_properties_say() -> None:
    stack = Stack()
    stack.container(
        "web",
        command=["serve"],
        entrypoints=[""],
        envs=["MODE=fast", "EMPTY="],
        ports=[{"internal": 80, "external": 8080}, {"internal": 53, "protocol": "udp", "ip": "127.0.0.1"}],
        hostname="web.internal",
        domainname="example",
        healthcheck={"tests": ["CMD", "true"], "interval": "1m30s", "timeout": "0s", "retries": 3},
        restart="on-failure",
        maxRetryCount=5,
        memory=64,
        memorySwap=-1,
        cpus="0.5",
        cpuShares=512,
        cpuSet="0",
        shmSize=64,
        labels=[{"label": "team", "value": "a"}, {"label": "dev.understudy.environment", "value": "e1"}],
        user="app",
        workingDir="/srv",
        init=True,
        stopSignal="SIGINT",
        stopTimeout=5,
        readOnly=True,
        tty=True,
        stdinOpen=True,
        capabilities={"adds": ["CAP_NET_ADMIN"], "drops": ["ALL"]},
        securityOpts=["no-new-privileges"],
        sysctls={"net.core.somaxconn": "1024"},
        ulimits=[{"name": "nofile", "soft": 1, "hard": 2}],
        groupAdds=["audio"],
        hosts=[{"host": "legacy", "ip": "10.0.0.1"}],
        dns=["10.0.0.2"],
        dnsSearches=["internal"],
        dnsOpts=["ndots:2"],
        logDriver="syslog",
        logOpts={"tag": "web"},
        runtime="runsc",
        uploads=[{"file": "/etc/app.conf", "content": "a=1", "permissions": "0600"}],
        tmpfs={"/run": "ro"},
        removeVolumes=True,
        waitTimeout=30,
    )
    topology = stack.read()
    assert (topology.name, topology.changes, topology.warnings) == ("shop", (), ())
    assert topology.services["web"] == Service(
        "web",
        image="busybox:1",
        command=("serve",),
        entrypoint=(),
        environment={"MODE": "fast", "EMPTY": ""},
        ports=(Port(80, "8080"), Port(53, protocol="udp", host_ip="127.0.0.1")),
        networks=(NetworkLink("default"),),
        hostname="web.internal",
        domainname="example",
        healthcheck=HealthCheck(("CMD", "true"), 90.0, None, None, 3),
        restart=Restart("on-failure", 5),
        resources=Resources(cpus=0.5, memory=64 << 20, memory_swap=-1, cpu_shares=512, cpuset="0"),
        labels={"team": "a"},
        user="app",
        working_dir="/srv",
        init=True,
        stop_signal="SIGINT",
        stop_grace_period=5.0,
        read_only=True,
        tty=True,
        stdin_open=True,
        cap_add=("NET_ADMIN",),
        cap_drop=("ALL",),
        security_opt=("no-new-privileges",),
        sysctls={"net.core.somaxconn": "1024"},
        ulimits=(Ulimit("nofile", 1, 2),),
        group_add=("audio",),
        extra_hosts=(("legacy", "10.0.0.1"),),
        dns=("10.0.0.2",),
        dns_search=("internal",),
        dns_opt=("ndots:2",),
        logging=Logging("syslog", {"tag": "web"}),
        runtime="runsc",
        files=(FileMount("config", "web-0", "/etc/app.conf", content="a=1", mode=0o600),),
        mounts=(Mount("tmpfs", "/run", read_only=True),),
    )


def test_networks_volumes_and_binds_have_their_logical_names() -> None:
    stack = Stack()
    back = stack.add("docker:index/network:Network", "back", {"name": "shop-back", "internal": True})
    data = stack.add("docker:index/volume:Volume", "data", {"name": "shop-data", "driverOpts": {"type": "nfs"}})
    stack.container(
        "db",
        {"networksAdvanced": [back], "volumes": [data]},
        networksAdvanced=[{"name": "shop-back", "aliases": ["db", "db.internal", "shop-db"]}, {"name": "shared"}],
        volumes=[
            {"volumeName": "shop-data", "containerPath": "/data"},
            {"containerPath": "/anonymous"},
            {"hostPath": "/srv/shop/init.sql", "containerPath": "/init.sql", "readOnly": True},
            {"hostPath": "/srv/shop/../etc", "containerPath": "/etc"},
        ],
        mounts=[{"type": "tmpfs", "target": "/run", "tmpfsOptions": {"sizeBytes": 1024}}],
    )
    topology = stack.read("/srv/shop")
    assert topology.networks == {"back": Network("back", internal=True), "shared": Network("shared", external=True)}
    assert topology.volumes == {"data": Volume("data", options={"type": "nfs"})}
    service = topology.services["db"]
    assert service.networks == (NetworkLink("back", ("db.internal",)), NetworkLink("shared"))
    assert service.mounts == (
        Mount("volume", "/data", "data"),
        Mount("volume", "/anonymous"),
        Mount("bind", "/init.sql", "init.sql", read_only=True),
        Mount("tmpfs", "/run", options=(("size", "1024"),)),
    )
    (change,) = topology.changes
    assert (change.path, change.production) == ("services.db.volumes", "/srv/shop/../etc:/etc")


def test_dependencies_wait_for_what_the_program_waits_for_and_numbered_equals_are_replicas() -> None:
    stack = Stack()
    db = stack.container("db", wait=True)
    job = stack.container("migrate", {"": [db]}, attach=True, mustRun=False)
    one = stack.container("web-1", {"": [db, job]}, envs=SECRET)
    two = stack.container("web-2", {"": [db, job]}, envs={**SECRET, "ciphertext": "v1:another"})
    stack.container("proxy", {"": [one, two]})
    services = stack.read().services
    assert list(services) == ["db", "migrate", "proxy", "web"]
    assert (services["migrate"].kind, services["web"].replicas) == ("job", 2)
    assert services["web"].depends_on == (Dependency("db", "healthy"), Dependency("migrate", "completed"))
    assert services["proxy"].depends_on == (Dependency("web"),)


def test_an_image_is_named_with_the_digest_that_the_stack_knows() -> None:
    stack = Stack()
    image = stack.add(
        "docker:index/remoteImage:RemoteImage",
        "postgres",
        {"name": "postgres:15"},
        outputs={"imageId": "sha256:abc", "repoDigest": f"postgres@{DIGEST}"},
    )
    stack.container("db", {"image": [image]}, image="sha256:abc")
    service = stack.read().services["db"]
    assert (service.image, service.kind) == (f"postgres:15@{DIGEST}", "database")
