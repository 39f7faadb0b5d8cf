"""One service of a Compose file."""

from __future__ import annotations

import re
from collections.abc import Mapping

from understudy.stacks.topology import Dependency, Kind, NetworkLink, Resources, Service, TopologyError

from . import compose_links, compose_managed, compose_run
from .document.yaml_text import Node
from .kinds import KINDS, kind_of_image
from .nodes import Fields, Reading, choice, flag, integer, parsed, text
from .values import duration, host_name

__all__ = ["left_out", "read_service"]

_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@+-]{0,511}", re.ASCII)
_UNSUPPORTED = "is not supported yet and left out"
_NOT_YET = """
annotations attach blkio_config cap_add cap_drop cgroup cgroup_parent credential_spec cpu_count cpu_percent
cpu_period cpu_quota cpu_rt_period cpu_rt_runtime cpu_shares cpuset develop device_cgroup_rules devices dns dns_opt
dns_search domainname external_links extra_hosts gpus group_add isolation label_file logging mac_address
mem_reservation mem_swappiness memswap_limit models oom_kill_disable oom_score_adj platform post_start pre_stop
provider pull_policy runtime security_opt shm_size stdin_open storage_opt sysctls tty ulimits use_api_socket
userns_mode uts
"""
_KNOWN: Mapping[str, str] = dict.fromkeys(_NOT_YET.split(), _UNSUPPORTED)
_REFUSED = ("extends", "volumes_from", "secrets", "configs")
_HOSTS = {"pid": "the host's processes", "ipc": "the host's shared memory"}


def left_out(node: Node) -> str | None:
    """Why a service does not run unless asked for: it has profiles, or no replicas."""
    fields = node.value
    if not isinstance(fields, Mapping):
        return None
    profiles = fields.get("profiles")
    if profiles is not None and profiles.value:
        return "has profiles, so it runs only when asked for; it is left out"
    deploy = fields.get("deploy")
    counts = [fields.get("scale")]
    if deploy is not None and isinstance(deploy.value, Mapping):
        counts.append(deploy.value.get("replicas"))
    if any(count is not None and count.value in (0, "0") and count.value is not False for count in counts):
        return "has no replicas; it is left out"
    return None


def read_service(name: str, node: Node, reading: Reading, *, job: str | None) -> Service:
    """The service of that name.

    Args:
        name: its key in the document.
        node: its mapping.
        reading: variables, files and warnings of the document.
        job: a service that waits for this one's completion, or None.

    Raises:
        TopologyError: something in it is not allowed.
    """
    fields = Fields(node, reading)
    fields.take("profiles")
    for key in _REFUSED:
        if (child := fields.take(key)) and child.value not in ((), {}):
            raise TopologyError(
                f"{key!r} is not supported yet, and without it the service cannot run as in production",
                child.key_where,
            )
    linked = fields.read("links", compose_links.linked, ())
    detached = _isolation(fields, reading)
    deploy = fields.take("deploy")
    deployed = Fields(deploy, reading) if deploy else None
    image = fields.read("image", _image, None)
    mounts = fields.read("volumes", lambda given: compose_links.mounts(given, reading), ())
    temporary = fields.read("tmpfs", lambda given: compose_links.tmpfs(given, reading), ())
    joined = fields.read("networks", lambda given: compose_links.links(given, reading), ())
    extended = fields.take("x-understudy")
    extension = None if extended is None else Fields(extended, reading, allowed=("kind", "managed"))
    service = Service(
        name=name,
        kind=_kind(extension, image, job),
        image=image,
        build=fields.read("build", lambda given: compose_links.build(given, reading), None),
        command=fields.read("command", compose_run.command, None),
        entrypoint=fields.read("entrypoint", compose_run.command, None),
        environment=compose_run.environment(fields.take("environment"), fields.take("env_file"), reading),
        ports=fields.read("ports", lambda given: compose_links.published(given, reading), ()),
        expose=fields.read("expose", compose_links.exposed, ()),
        mounts=mounts + temporary,
        networks=() if detached else joined or (NetworkLink("default"),),
        hostname=fields.read("hostname", lambda given: parsed(given, host_name), None),
        depends_on=_dependencies(fields, linked, reading),
        healthcheck=fields.read("healthcheck", lambda given: compose_run.healthcheck(given, reading), None),
        replicas=_replicas(fields, deployed, reading),
        resources=_resources(fields, deployed, reading),
        restart=compose_run.restart(
            fields.take("restart"), deployed.take("restart_policy") if deployed else None, reading
        ),
        labels=fields.read("labels", lambda given: compose_run.labels(given, reading), {}),
        user=fields.read("user", text, None),
        working_dir=fields.read("working_dir", text, None),
        init=fields.read("init", flag, None),
        stop_signal=fields.read("stop_signal", text, None),
        stop_grace_period=fields.read("stop_grace_period", lambda given: parsed(given, duration), None),
        read_only=fields.read("read_only", flag, default=False),
        container_name=fields.read("container_name", lambda given: parsed(given, host_name), None),
        managed=None
        if extension is None
        else extension.read("managed", lambda given: compose_managed.read_managed(given, reading), None),
        where=node.key_where,
    )
    if deployed:
        deployed.finish()
    fields.finish(_KNOWN)
    return service


def _dependencies(
    fields: Fields, linked: tuple[tuple[str, str | None], ...], reading: Reading
) -> tuple[Dependency, ...]:
    """Those of `depends_on`; what is linked has to be started too."""
    found = fields.read("depends_on", lambda given: compose_run.dependencies(given, reading), ())
    named = {dependency.service for dependency in found}
    return (*found, *(Dependency(other) for other in dict.fromkeys(name for name, _ in linked) if other not in named))


def _image(node: Node) -> str:
    given = text(node)
    if not _IMAGE.fullmatch(given):
        raise TopologyError(f"{given[:100]!r} is no image reference", node.where)
    return given


def _isolation(fields: Fields, reading: Reading) -> bool:
    """Refuse what would give a clone the host; whether the service is on no network at all."""
    if (node := fields.take("privileged")) and flag(node):
        raise TopologyError("'privileged: true' is refused: a clone must not have the host's rights", node.key_where)
    for key, what in _HOSTS.items():
        if node := fields.take(key):
            if text(node) == "host":
                raise TopologyError(f"'{key}: host' is refused: a clone must not see {what}", node.key_where)
            reading.leave_out(node.key_where, _UNSUPPORTED)
    node = fields.take("network_mode")
    if node is None:
        return False
    mode = text(node)
    if mode == "host":
        raise TopologyError("'network_mode: host' is refused: a clone has networks of its own", node.key_where)
    if mode.startswith(("service:", "container:")):
        raise TopologyError(f"'network_mode: {mode}' is not supported yet", node.key_where)
    if mode != "none":
        reading.leave_out(node.key_where, f"{mode!r} {_UNSUPPORTED}; the service joins its networks")
    return mode == "none"


def _kind(extension: Fields | None, image: str | None, job: str | None) -> Kind:
    """What the document says, else a job where somebody waits for its end, else what the image is known for."""
    chosen = None if extension is None else extension.take("kind")
    if chosen is None:
        return "job" if job else kind_of_image(image)
    kind = choice(chosen, KINDS)
    if job and kind != "job":
        raise TopologyError(f"the kind is {kind}, but {job!r} waits for its completion: that is a job", chosen.where)
    return kind


def _replicas(fields: Fields, deployed: Fields | None, reading: Reading) -> int:
    scale, new = fields.take("scale"), None
    if deployed:
        if (mode := deployed.take("mode")) and text(mode) != "replicated":
            reading.leave_out(mode.key_where, f"{text(mode)[:60]!r} is read as replicated")
        new = deployed.take("replicas")
    found = [integer(node) for node in (new, scale) if node is not None]
    if scale and len(found) > 1 and found[0] != found[1]:
        raise TopologyError("'scale' and 'deploy.replicas' say different things", scale.where)
    return found[0] if found else 1


def _resources(fields: Fields, deployed: Fields | None, reading: Reading) -> Resources:
    node = deployed.take("resources") if deployed else None
    if node is None:
        return compose_run.resources(None, fields)
    both = Fields(node, reading)
    limits_node = both.take("limits")
    limits = Fields(limits_node, reading) if limits_node else None
    result = compose_run.resources(limits, fields)
    if limits:
        limits.finish()
    both.finish({"reservations": "a clone reserves nothing; left out"})
    return result
