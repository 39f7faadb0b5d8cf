"""One service of a Compose file, read beside the services, files and variables that it may name."""

from __future__ import annotations

from understudy.stacks.allowed import Allowed
from understudy.stacks.sources.compose import read
from understudy.stacks.topology import Topology

FILES = {
    "app.conf": b"a=1\n",
    "labels": b"L=1\n",
    "key": b"hunter22\n",
    "profile.json": b'{"defaultAction": "SCMP_ACT_ALLOW"}',
}
OTHERS = """
  db: {image: 'db:1', container_name: the-db}
  base: {build: {context: base}}
networks:
  default:
  front: {internal: true}
volumes: {data: }
configs: {app: {file: app.conf}, text: {content: "b=$B"}, given: {environment: B}, away: {external: true}}
secrets: {key: {file: key}, var: {environment: B}, away-from-here: {external: true}}
"""


def load(body: str, more: str = OTHERS, allow: tuple[str, ...] = ()) -> Topology:
    text = "services:\n  web:\n    image: web:1\n" + "".join(f"    {line}\n" for line in body.splitlines()) + more
    names = Allowed.of(allow)
    return read(text, "compose.yaml", variables={"B": "from-b"}, read_file=FILES.get, project="shop", allow=names)
