"""The three lists, second part: what stands below the keys of a service, and at the top of the document."""

from __future__ import annotations

from collections.abc import Mapping

from .compose_keys import Key, changed, cloned, idle, missing, refused, table
from .compose_keys_service import SERVICE

__all__ = ["KEYS", "UNKNOWN", "key_of"]

_SAME = "as in production"
_SWARM = "it is for a Swarm of hosts, and Compose does not look at it either"
_OWN_SUBNET = "two clones cannot have one subnet; the provider chooses it"
_OWN_ADDRESS = "two clones cannot have one address; Docker chooses it"
_ORCHESTRATOR = "it names an object of a Swarm, and a clone makes a file of its own"
_OWN_CACHE = "an image is built once for its content and found again by that"

_SERVICE_PARTS: tuple[Key, ...] = (
    cloned("build.additional_contexts", "folders of the commit's tree, images, and other services' builds"),
    cloned("build.args", "an argument without a value takes the variable of that name"),
    idle("build.cache_from", _OWN_CACHE),
    idle("build.cache_to", _OWN_CACHE),
    cloned("build.context", "a folder of the commit's tree; any other is refused"),
    cloned("build.dockerfile", "relative to the context"),
    cloned("build.dockerfile_inline", "as a file beside the commit's tree"),
    refused("build.entitlements", "any: the build would have the host's rights", "build-entitlements"),
    cloned("build.extra_hosts", _SAME),
    idle("build.isolation", "it is for Windows containers, and a clone runs Linux ones"),
    cloned("build.labels", _SAME),
    refused("build.network", "any but `none`: it is a network of the host or of a container", "host-network"),
    idle("build.no_cache", _OWN_CACHE),
    changed("build.platforms", "one image is built: for the service's `platform`, else the daemon's own"),
    refused("build.privileged", "`true`: the build would have the host's rights", "build-entitlements"),
    idle("build.provenance", "an attestation says who built an image, and does not run"),
    idle("build.pull", "a base image is found on the daemon or pulled"),
    idle("build.sbom", "an attestation says what an image holds, and does not run"),
    cloned("build.secrets", "a file of the commit's tree; any other source is refused"),
    idle("build.secrets.gid", "the builder sets the owner"),
    idle("build.secrets.mode", "the builder sets the permissions"),
    cloned("build.secrets.source", _SAME),
    cloned("build.secrets.target", _SAME),
    idle("build.secrets.uid", "the builder sets the owner"),
    cloned("build.shm_size", _SAME),
    refused("build.ssh", "any: the build would use the keys of whoever runs it", "build-ssh"),
    idle("build.tags", "the image has a name of the clone's own"),
    cloned("build.target", _SAME),
    cloned("build.ulimits", _SAME),
    cloned("build.ulimits.*.hard", _SAME),
    cloned("build.ulimits.*.soft", _SAME),
    cloned("configs.gid", _SAME),
    cloned("configs.mode", _SAME),
    cloned("configs.source", _SAME),
    cloned("configs.target", "default `/` and the config's name"),
    cloned("configs.uid", _SAME),
    cloned("depends_on.*.condition", _SAME),
    cloned("depends_on.*.required", _SAME),
    idle("depends_on.*.restart", "it says what `docker compose restart` does"),
    idle("deploy.endpoint_mode", _SWARM),
    idle("deploy.labels", "they are labels of a Swarm service, not of its containers"),
    cloned("deploy.mode", "`replicated`, and as one container `global`; `replicated-job` and `global-job` are jobs"),
    idle("deploy.placement", _SWARM, whole=True),
    changed("deploy.replicas", "at most as many as the profile says"),
    cloned("deploy.resources", "limits, and the reservation of memory"),
    cloned("deploy.resources.limits", _SAME),
    cloned("deploy.resources.limits.cpus", _SAME),
    cloned("deploy.resources.limits.memory", _SAME),
    cloned("deploy.resources.limits.pids", _SAME),
    cloned("deploy.resources.reservations", "of memory"),
    idle("deploy.resources.reservations.cpus", "one host reserves no processors"),
    refused("deploy.resources.reservations.devices", "any: it is the host's hardware", "devices", whole=True),
    idle("deploy.resources.reservations.generic_resources", _SWARM, whole=True),
    cloned("deploy.resources.reservations.memory", _SAME),
    cloned("deploy.restart_policy", "wins over `restart`"),
    cloned("deploy.restart_policy.condition", _SAME),
    idle("deploy.restart_policy.delay", "the engine has its own delays"),
    cloned("deploy.restart_policy.max_attempts", "of `on-failure`"),
    idle("deploy.restart_policy.window", "the engine has its own delays"),
    idle("deploy.rollback_config", _SWARM, whole=True),
    idle("deploy.update_config", _SWARM, whole=True),
    cloned("devices.permissions", "of a device that is allowed"),
    cloned("devices.source", "of a device that is allowed"),
    cloned("devices.target", "of a device that is allowed"),
    cloned("env_file.format", "`raw`: neither quotes, escapes nor interpolation"),
    cloned("env_file.path", "relative to the document's folder"),
    cloned("env_file.required", "`false`: the file may be missing"),
    cloned("extends.file", _SAME),
    cloned("extends.service", _SAME),
    cloned("healthcheck.disable", _SAME),
    cloned("healthcheck.interval", _SAME),
    cloned("healthcheck.retries", _SAME),
    idle("healthcheck.start_interval", "readiness is probed at its own pace"),
    cloned("healthcheck.start_period", _SAME),
    cloned("healthcheck.test", _SAME),
    cloned("healthcheck.timeout", _SAME),
    changed("logging.driver", "`json-file`, `local`, `journald` and `none` are cloned; any other ships logs elsewhere"),
    changed("logging.options", "those of a driver that is cloned"),
    cloned("networks.*.aliases", _SAME),
    missing("networks.*.driver_opts", "it configures a network driver of production's host"),
    missing("networks.*.gw_priority", "a closed network has no gateway"),
    missing("networks.*.interface_name", "the Docker provider's schema has no property for it"),
    changed("networks.*.ipv4_address", _OWN_ADDRESS),
    changed("networks.*.ipv6_address", _OWN_ADDRESS),
    changed("networks.*.link_local_ips", _OWN_ADDRESS),
    changed("networks.*.mac_address", _OWN_ADDRESS),
    cloned("networks.*.priority", "the order in which networks are joined"),
    idle("ports.app_protocol", "it describes the port"),
    changed("ports.host_ip", "the relay publishes on the bind address"),
    idle("ports.mode", "it is for a Swarm of hosts"),
    idle("ports.name", "it describes the port"),
    cloned("ports.protocol", "`tcp` is published; `udp` is there inside the clone; any other port is left out"),
    changed("ports.published", "the kernel chooses a port, so that clones stand side by side"),
    cloned("ports.target", "probed for readiness where it is TCP"),
    cloned("secrets.gid", _SAME),
    cloned("secrets.mode", _SAME),
    cloned("secrets.source", _SAME),
    cloned("secrets.target", "default `/run/secrets/` and the secret's name"),
    cloned("secrets.uid", _SAME),
    cloned("ulimits.*.hard", _SAME),
    cloned("ulimits.*.soft", _SAME),
    cloned("volumes.bind", "the options of a bind"),
    idle("volumes.bind.create_host_path", "what the commit does not have is an empty folder"),
    cloned("volumes.bind.propagation", _SAME),
    missing("volumes.bind.recursive", "the Docker provider's schema has no property for it"),
    cloned("volumes.bind.selinux", _SAME),
    idle("volumes.consistency", "it has no effect on Linux"),
    missing("volumes.image", "see `type`", whole=True),
    cloned("volumes.read_only", _SAME),
    refused(
        "volumes.source",
        "a path of the host that the service may write to, and the sockets of container engines; a path of the host "
        "that is read-only is left out; a path of the commit's tree and a volume's name are cloned",
        "bind:/PATH",
        "docker-socket",
    ),
    cloned("volumes.target", _SAME),
    cloned("volumes.tmpfs", "the options of a tmpfs"),
    cloned("volumes.tmpfs.mode", _SAME),
    cloned("volumes.tmpfs.size", _SAME),
    changed("volumes.type", "`volume`, `bind` and `tmpfs` are cloned; `image`, `cluster` and `npipe` are left out"),
    cloned("volumes.volume", "the options of a volume"),
    missing("volumes.volume.labels", "they are labels of an anonymous volume"),
    cloned("volumes.volume.nocopy", _SAME),
    cloned("volumes.volume.subpath", "needs Docker Engine 26 or newer"),
)

_TOP: tuple[Key, ...] = (
    cloned("configs", "those that a service uses"),
    cloned("configs.*.content", _SAME),
    cloned("configs.*.environment", "the variable's value"),
    missing("configs.*.external", "its content is nowhere in the document; the file is not there", whole=True),
    cloned("configs.*.file", "a file of the commit's tree"),
    idle("configs.*.labels", _ORCHESTRATOR),
    idle("configs.*.name", _ORCHESTRATOR),
    idle("configs.*.template_driver", _ORCHESTRATOR),
    cloned("include", "merged before anything else is read"),
    cloned("include.env_file", _SAME),
    cloned("include.path", _SAME),
    cloned("include.project_directory", _SAME),
    missing("models", "no model runner belongs to a clone", whole=True),
    cloned("name", "the variable `COMPOSE_PROJECT_NAME` wins over it; without both, the folder's name"),
    changed("networks", "each is a network of the clone's own, closed to the outside unless the profile opens it"),
    idle("networks.*.attachable", "it is for a Swarm of hosts"),
    changed("networks.*.driver", "a clone's networks are bridges on one host"),
    missing("networks.*.driver_opts", "it configures a network driver of production's host"),
    missing("networks.*.enable_ipv4", "a clone's networks have IPv4, and nothing else"),
    missing("networks.*.enable_ipv6", "a clone's networks have IPv4, and nothing else"),
    changed("networks.*.external", "the clone has a network of its own in its place", whole=True),
    cloned("networks.*.internal", _SAME),
    changed("networks.*.ipam", _OWN_SUBNET, whole=True),
    cloned("networks.*.labels", _SAME),
    changed("networks.*.name", "a host has one network of a name"),
    changed("secrets", "each is made anew for every environment; production's value is not copied"),
    changed("secrets.*.driver", "its value is made anew"),
    changed("secrets.*.driver_opts", "its value is made anew"),
    changed("secrets.*.environment", "its value is made anew"),
    changed("secrets.*.external", "its value is made anew", whole=True),
    changed("secrets.*.file", "its value is made anew"),
    idle("secrets.*.labels", _ORCHESTRATOR),
    idle("secrets.*.name", _ORCHESTRATOR),
    idle("secrets.*.template_driver", _ORCHESTRATOR),
    cloned("services", "at least one"),
    idle("version", "it is obsolete, and Compose does not look at it either"),
    changed("volumes", "each starts as the image fills it: production's data is never copied"),
    changed("volumes.*.driver", "a clone's volumes are of the driver `local`"),
    changed("volumes.*.driver_opts", "those of a tmpfs are cloned; any other names a place of production's data"),
    changed("volumes.*.external", "the clone has a volume of its own in its place", whole=True),
    cloned("volumes.*.labels", _SAME),
    changed("volumes.*.name", "a host has one volume of a name"),
)


def _of_services(rows: tuple[Key, ...]) -> tuple[Key, ...]:
    return tuple(
        Key(f"services.*.{row.path}", row.taken, row.reason, row.fidelity, row.allow, row.whole) for row in rows
    )


KEYS: Mapping[str, Key] = table((*_TOP, *_of_services(SERVICE), *_of_services(_SERVICE_PARTS)))
"""Every key of the specification by its path in the published schema (compose-spec.json of compose-go v2.9.0)."""

UNKNOWN = "the Compose specification has no such key"


def key_of(path: str) -> Key:
    """The row for a path of the schema: its own, or that of the nearest one above that speaks for all below it.

    A key that the specification does not have is left out.
    """
    parts = path.split(".")
    for length in range(len(parts), 0, -1):
        row = KEYS.get(".".join(parts[:length]))
        if row is not None and (length == len(parts) or row.whole):
            return row
    return missing(path, UNKNOWN)
