"""How a Compose service's image is built: from the commit's tree, by the docker CLI."""

from __future__ import annotations

from understudy.stacks.change import Fidelity
from understudy.stacks.topology import Build

from .compose_run import ulimits
from .document.yaml_text import Node
from .nodes import Fields, Reading, flag, items, mapping, parsed, table_of, text, texts
from .values import byte_size, host_pair

__all__ = ["build"]

_REMOTE = ("git@", "github.com/")
_INSECURE = "security.insecure"
"""The entitlement that `privileged` asks for (BuildKit, entitlements)."""


def build(node: Node, secrets: Node | None, platform: str | None, reading: Reading) -> Build:
    """A build; `secrets` are those at the top of the document, `platform` is the service's."""
    fields = Fields(node, reading)
    already = len(reading.refusals)
    context_node = fields.take("context")
    context = _context(context_node, reading) if context_node else "."
    inline = fields.read("dockerfile_inline", text, None)
    dockerfile = "Dockerfile"
    if named := fields.take("dockerfile"):
        dockerfile = text(named)
        if len(reading.refusals) == already:  # else it is the context that is wrong
            reading.inside(dockerfile, f"{context}/{dockerfile}", named.where, "the Dockerfile")
    network = fields.read("network", text, None)
    result = Build(
        context,
        dockerfile,
        fields.read("target", text, None),
        fields.read("args", table_of, {}),
        inline,
        {k: _further(child, reading) for k, child in fields.read("additional_contexts", mapping, {}).items()},
        dict(_secret(item, secrets, reading) for item in fields.read("secrets", items, ())),
        fields.read("labels", table_of, {}),
        _platforms(fields, platform, reading),
        None if network in {None, "default"} else network,
        tuple(parsed(item, host_pair) for item in fields.read("extra_hosts", items, ())),
        fields.read("shm_size", lambda size: parsed(size, byte_size), None),
        fields.read("ulimits", lambda limits: ulimits(limits, reading), ()),
        _entitlements(fields),
        tuple(_key(name, child) for name, child in fields.read("ssh", mapping, {}).items()),
    )
    fields.finish()
    return result


def _context(node: Node, reading: Reading) -> str:
    given = text(node)
    if "://" in given or given.startswith(_REMOTE):
        reading.refuse(node.where, f"the build context {given!r} is not a folder of the commit's tree")
        return given
    return reading.path(node, "the build context")


def _further(node: Node, reading: Reading) -> str:
    given = text(node)
    if given.startswith(("docker-image://", "service:")):
        return given
    return _context(node, reading)


def _key(name: str, path: Node) -> str:
    """An SSH agent or key by its id, as the docker CLI takes it."""
    return name if path.value is None else f"{name}={text(path)}"


def _entitlements(fields: Fields) -> tuple[str, ...]:
    given = fields.read("entitlements", texts, ())
    return (*given, _INSECURE) if fields.read("privileged", flag, default=False) else given


def _platforms(fields: Fields, platform: str | None, reading: Reading) -> tuple[str, ...]:
    node = fields.take("platforms")
    if node is None:
        return ()
    found = texts(node)
    if found != (platform,):
        one = platform or "the daemon's own"
        reading.change(node.key_where, ", ".join(found), one, "one image is built, for the platform that it runs on")
    return found


def _secret(node: Node, declared: Node | None, reading: Reading) -> tuple[str, str]:
    """The id under which the build's steps know a secret, and the file of the commit that it is."""
    fields = Fields(node, reading)
    source_node = fields.need("source")
    source = text(source_node)
    target = fields.read("target", text, source)
    for key in ("uid", "gid", "mode"):
        if ignored := fields.take(key):
            reading.leave_out(ignored, "the builder sets owner and permissions", Fidelity.FAITHFUL)
    fields.finish()
    definition = mapping(declared).get(source) if declared is not None else None
    file = None if definition is None else mapping(definition).get("file")
    if file is None:
        reading.refuse(
            source_node.where,
            f"the build's secret {source!r} is no file of the commit's tree: production's secrets are not copied, and "
            "a value made anew opens nothing; commit a file that the build of a clone may read, and name it as 'file'",
        )
        return target.rpartition("/")[2], source
    return target.rpartition("/")[2], reading.path(file, f"the build's secret {source!r}")
