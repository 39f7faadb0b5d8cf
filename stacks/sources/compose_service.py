"""One service of a canonical Compose document."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from understudy.stacks.topology import (
    Device,
    DeviceRequest,
    Kind,
    Mount,
    NetworkLink,
    Service,
    TopologyError,
)

from . import compose_mounts, compose_network, compose_run
from .compose_build import build
from .compose_files import Files, file_mounts
from .compose_managed import read_managed
from .compose_network import NetworkMode
from .compose_on_aws import read_on_aws
from .document.tree import get
from .document.tree import items as items_of
from .document.yaml_text import Node
from .extension_keys import keys_of
from .kinds import KINDS, kind_of_image
from .nodes import Fields, Reading, choice, flag, integer, items, mapping, parsed, table_of, text, texts
from .values import host_name, host_pair

__all__ = ["Around", "read_service"]

_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@+-]{0,511}", re.ASCII)
_JOB_MODES = ("replicated-job", "global-job")
_SOCKET = "/var/run/docker.sock"
_SPACES = {
    "cgroup": ("host", "private"),
    "uts": ("host",),
    "userns_mode": ("host",),
}


@dataclass(frozen=True, slots=True)
class Around:
    """What a service's keys may speak of: container and network names, configs and secrets, and who waits for a job."""

    containers: dict[str, str] = field(default_factory=dict)
    networks: Mapping[str, str] = field(default_factory=dict)
    files: Files = field(default_factory=Files)
    jobs: Mapping[str, str] = field(default_factory=dict)


def read_service(name: str, node: Node, around: Around, reading: Reading) -> Service:
    """The service of that name.

    Raises:
        TopologyError: something in it is not allowed.
    """
    for key, child in mapping(node).items():
        reading.places[f"services.{name}.{key}"] = child.key_where
    fields = Fields(node, reading)
    fields.take("profiles")
    deploy = fields.take("deploy")
    deployed = Fields(deploy, reading) if deploy else None
    if (devices := get(deploy, "resources", "reservations", "devices")) is not None:
        reading.places.setdefault(f"services.{name}.gpus", devices.key_where)
    image = fields.read("image", lambda given: _image(given, reading), None)
    mode = fields.read(
        "network_mode",
        lambda given: compose_network.network_mode(given, around.containers, around.networks, reading),
        None,
    )
    platform = fields.read("platform", text, None)
    own = fields.take("x-understudy")
    extension = Fields(own, reading, allowed=keys_of("service")) if own else None
    secrets = Node(around.files.secrets, node.where, node.key_where)
    service = Service(
        name=name,
        kind=_kind(extension, deployed, image, around.jobs.get(name)),
        image=image,
        build=fields.read("build", lambda given: _build(name, given, secrets, platform, reading), None),
        platform=platform,
        replicas=_replicas(fields, deployed),
        resources=compose_run.resources(fields, deployed, reading),
        restart=compose_run.restart(
            fields.take("restart"), deployed.take("restart_policy") if deployed else None, reading
        ),
        **_process(fields, reading),
        **_joined(fields, mode, name, around, reading),
        **_confinement(fields, deploy, around, reading),
        managed=extension.read("managed", lambda given: read_managed(given, reading), None) if extension else None,
        on_aws=extension.read("on_aws", lambda given: read_on_aws(given, reading), None) if extension else None,
        where=node.key_where,
    )
    if deployed:
        deployed.finish()
    fields.finish()
    return service


def _build(name: str, node: Node, secrets: Node, platform: str | None, reading: Reading) -> Any:  # noqa: ANN401 - a Build
    places = {key: child.key_where for key, child in mapping(node).items()}
    places = {"entitlements": places.get("privileged", node.key_where), **places}  # the one asks for the other
    reading.places |= {f"services.{name}.build.{key}": where for key, where in places.items()}
    return build(node, secrets, platform, reading)


def _process(fields: Fields, reading: Reading) -> dict[str, Any]:
    """What runs, and how it starts and ends."""
    return {
        "command": fields.read("command", compose_run.command, None),
        "entrypoint": fields.read("entrypoint", compose_run.command, None),
        "environment": fields.read("environment", lambda given: table_of(given, secret=True), {}),
        "healthcheck": fields.read("healthcheck", lambda given: compose_run.healthcheck(given, reading), None),
        "user": fields.read("user", text, None),
        "working_dir": fields.read("working_dir", text, None),
        "init": fields.read("init", flag, None),
        "stop_signal": fields.read("stop_signal", text, None),
        "stop_grace_period": fields.read("stop_grace_period", compose_run.seconds, None),
        "tty": fields.read("tty", flag, default=False),
        "stdin_open": fields.read("stdin_open", flag, default=False),
        "runtime": fields.read("runtime", text, None),
        "labels": fields.read("labels", table_of, {}),
        "logging": fields.read("logging", lambda given: compose_run.logging(given, reading), None),
        "depends_on": fields.read("depends_on", lambda given: compose_run.dependencies(given, reading), ()),
    }


def _joined(fields: Fields, mode: NetworkMode | None, name: str, around: Around, reading: Reading) -> dict[str, Any]:
    """What the service is on and has: networks, names, ports, mounts and files."""
    networks = fields.read("networks", lambda given: compose_network.links(given, reading), ())
    if mode is not None:
        networks = () if mode.joins is None else (NetworkLink(mode.joins),)
    socket = fields.take("use_api_socket")
    if socket is not None:
        reading.places[f"services.{name}.volumes.{_SOCKET}"] = socket.key_where
    fields.read("links", compose_network.linked, ())
    return {
        "networks": networks,
        "network_of": None if mode is None else mode.of,
        "host_network": mode is not None and mode.host,
        "ports": fields.read("ports", lambda given: compose_network.published(given, reading), ()),
        "expose": fields.read("expose", compose_network.exposed, ()),
        "mounts": (
            *fields.read("volumes", lambda given: compose_mounts.mounts(given, name, reading), ()),
            *fields.read("tmpfs", compose_mounts.tmpfs, ()),
            *((Mount("bind", _SOCKET, _SOCKET),) if socket is not None and flag(socket) else ()),
        ),
        "volumes_from": fields.read(
            "volumes_from", lambda given: compose_mounts.volumes_from(given, around.containers, reading), ()
        ),
        "files": (
            *file_mounts(fields.take("configs"), "config", around.files, reading),
            *file_mounts(fields.take("secrets"), "secret", around.files, reading),
        ),
        "hostname": fields.read("hostname", lambda given: parsed(given, host_name), None),
        "domainname": fields.read("domainname", text, None),
        "container_name": fields.read("container_name", lambda given: parsed(given, host_name), None),
        "extra_hosts": tuple(parsed(item, host_pair) for item in fields.read("extra_hosts", items, ())),
        "dns": fields.read("dns", texts, ()),
        "dns_search": fields.read("dns_search", texts, ()),
        "dns_opt": fields.read("dns_opt", texts, ()),
    }


def _confinement(fields: Fields, deploy: Node | None, around: Around, reading: Reading) -> dict[str, Any]:
    """What the service may do to the host, and what it sees of it; what nobody allowed is refused afterwards."""
    spaces = {key: _space(fields.take(key), words) for key, words in _SPACES.items()}
    return {
        "read_only": fields.read("read_only", flag, default=False),
        "privileged": fields.read("privileged", flag, default=False),
        "cap_add": fields.read("cap_add", texts, ()),
        "cap_drop": fields.read("cap_drop", texts, ()),
        "security_opt": tuple(_security(item, reading) for item in fields.read("security_opt", items, ())),
        "sysctls": fields.read("sysctls", table_of, {}),
        "ulimits": fields.read("ulimits", lambda given: compose_run.ulimits(given, reading), ()),
        "group_add": fields.read("group_add", texts, ()),
        "ipc": fields.read("ipc", lambda given: compose_network.shared_space(given, around.containers, reading), None),
        "pid": fields.read("pid", lambda given: compose_network.shared_space(given, around.containers, reading), None),
        "cgroup": spaces["cgroup"],
        "uts": spaces["uts"],
        "userns": spaces["userns_mode"],
        "devices": tuple(_device(item, reading) for item in fields.read("devices", items, ())),
        "device_requests": (
            *(_request(item, reading, gpu=True) for item in fields.read("gpus", items, ())),
            *(_request(item, reading, gpu=False) for item in _reserved(deploy)),
        ),
        "device_cgroup_rules": fields.read("device_cgroup_rules", texts, ()),
    }


def _image(node: Node, reading: Reading) -> str:
    given = text(node)
    if not _IMAGE.fullmatch(given):
        reading.refuse(node.where, f"{given[:100]!r} is no image reference")
    return given


def _kind(extension: Fields | None, deployed: Fields | None, image: str | None, job: str | None) -> Kind:
    """What the document says, else a job where somebody waits for its end, else what the image is known for."""
    mode = deployed.take("mode") if deployed else None
    of_swarm = mode is not None and text(mode) in _JOB_MODES
    if mode is not None and text(mode) not in {"replicated", "global", *_JOB_MODES}:
        allowed = ", ".join(("replicated", "global", *_JOB_MODES))
        raise TopologyError(f"{text(mode)[:60]!r} is no mode; allowed are {allowed}", mode.where)
    chosen = extension.take("kind") if extension else None
    if chosen is None:
        return "job" if job or of_swarm else kind_of_image(image)
    kind = choice(chosen, KINDS)
    if job and kind != "job":
        raise TopologyError(f"the kind is {kind}, but {job!r} waits for its completion: that is a job", chosen.where)
    return kind


def _replicas(fields: Fields, deployed: Fields | None) -> int:
    scale = fields.take("scale")
    given = (deployed.take("replicas") if deployed else None) or scale
    return 1 if given is None else integer(given)


def _space(node: Node | None, allowed: tuple[str, ...]) -> str | None:
    return None if node is None else choice(node, {word: word for word in allowed})


def _security(node: Node, reading: Reading) -> str:
    """A security option; a profile in a file is read, as Docker's API takes its text."""
    given = text(node)
    match = re.fullmatch(r"seccomp[:=](.+)", given, re.DOTALL)
    if match is None or match[1] in {"unconfined", "builtin"} or match[1].startswith("{"):
        return given
    path = reading.inside(match[1], match[1], node.where, "the seccomp profile")
    data = reading.read_file(path)
    try:
        return "seccomp=" + json.dumps(json.loads(data or b""), separators=(",", ":"))
    except ValueError as error:
        what = "is not in what is cloned" if data is None else f"is no JSON: {error}"
        reading.refuse(node.where, f"the seccomp profile {path!r} {what}")
        return given


def _device(node: Node, reading: Reading) -> Device:
    fields = Fields(node, reading)
    source = text(fields.need("source"))
    device = Device(source, fields.read("target", text, source), fields.read("permissions", text, "rwm"))
    fields.finish()
    return device


def _reserved(deploy: Node | None) -> tuple[Node, ...]:
    """The devices among the reservations."""
    return items_of(get(deploy, "resources", "reservations", "devices"))


def _request(node: Node, reading: Reading, *, gpu: bool) -> DeviceRequest:
    fields = Fields(node, reading)
    capabilities = fields.read("capabilities", texts, ())
    request = DeviceRequest(
        tuple(dict.fromkeys(("gpu", *capabilities))) if gpu else capabilities,
        fields.read("driver", text, None),
        fields.read("count", lambda count: integer(count, least=-1), None),
        fields.read("device_ids", texts, ()),
        fields.read("options", table_of, {}),
    )
    fields.finish()
    return request
