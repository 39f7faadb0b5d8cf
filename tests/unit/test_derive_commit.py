"""What a commit changes is on the record key by key, with the commit that changed it."""

from derivation import QUIET, WEB, clone_of, one

from understudy.stacks.clone import Fidelity


def test_what_the_commit_changes_is_named_key_by_key() -> None:
    before = """
services:
  web: {image: 'x:1', environment: {A: '1', B: '2'}, command: [a, b], ports: ['80'], depends_on: [old]}
  old: {image: y}
"""
    after = """
services:
  web:
    image: x:2
    environment: {A: '1', B: '3', C: '4'}
    command: [a, c]
    ports: ['80', '81/udp']
    healthcheck: {test: t, interval: 1.5s}
    mem_limit: 1k
    build: {context: w, args: {V: '1'}}
  new: {build: ./new}
"""
    clone = clone_of(before + QUIET, after + QUIET)
    found = {c.path: (c.production, c.clone) for c in clone.changes if "changed by commit 0123456789ab" in c.reason}
    assert found == {
        "services.web.image": ("x:1", "built from w at 0123456789ab"),
        "services.web.environment.B": ("2", "3"),
        "services.web.environment.C": (None, "4"),
        "services.web.command": ('["a", "b"]', '["a", "c"]'),
        "services.web.ports.81/udp": (None, None),  # it is added, and the relay publishes TCP only
        "services.web.depends_on.old": ("old started", None),
        "services.web.healthcheck.test": (None, '["CMD-SHELL", "t"]'),
        "services.web.healthcheck.interval": (None, "1.5"),
        "services.web.resources.memory": (None, "1048576"),  # whole mebibytes
        "services.web.build.context": (None, "w"),
        "services.web.build.dockerfile": (None, "Dockerfile"),
        "services.web.build.args.V": (None, "1"),
        "services.old": ("y", None),
        "services.new": (None, "built from new"),
    }
    ways = {c.path: c.fidelity for c in clone.changes if "changed by commit" in c.reason}
    assert ways.pop("services.web.ports.81/udp") is Fidelity.MISSING
    assert ways.pop("services.web.resources.memory") is Fidelity.CHANGED
    assert set(ways.values()) == {Fidelity.CHANGED}


def test_networks_volumes_and_third_parties_count_too() -> None:
    before = "services: {web: {image: x, volumes: ['data:/a']}}\nvolumes: {data: }\n" + QUIET
    after = """
services: {web: {image: x, volumes: ['other:/a'], networks: [n]}}
volumes: {other: }
networks: {n: {internal: true}}
x-understudy: {externals: {pay: {host: pay.example}}}
"""
    found = {c.path: (c.production, c.clone) for c in clone_of(before, after).changes if "commit" in c.reason}
    assert found == {
        "services.web.mounts./a": ("volume data at /a", "volume other at /a"),
        "services.web.networks.default": ("default", None),
        "services.web.networks.n": (None, "n"),
        "networks.default": ("internal network", None),
        "networks.n": (None, "internal network"),
        "volumes.data": ("volume", None),
        "volumes.other": (None, "volume"),
        "externals.pay": (None, None),
    }


def test_hostile_values_are_kept_as_they_are() -> None:
    after = 'services: {web: {image: x, environment: {A: "<script>\\u001b[2J\\n"}}}\n' + QUIET
    assert one(clone_of(WEB, after), "services.web.environment.A")[1] == "<script>\x1b[2J\n"
