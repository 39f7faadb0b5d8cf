"""The egress relay's configurations, read by the HAProxy that they are written for."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from understudy.components.egress_config import inner_config, outer_config
from understudy.stacks.topology import External

pytestmark = [pytest.mark.docker, pytest.mark.images]

MANY = tuple(
    External(f"t{number}", f"t_{number}.x-y.example", (443, 443, 25 + number)[number % 3], allow=True, scheme="https")
    for number in range(30)
)


@pytest.mark.parametrize(
    "config", [inner_config(MANY, "eabc-egress-outer"), outer_config(MANY)], ids=["inner", "outer"]
)
def test_haproxy_takes_the_configuration(tmp_path: Path, config: str) -> None:
    file = tmp_path / "haproxy.cfg"
    file.write_text(config, encoding="utf-8")
    file.chmod(0o644)
    done = subprocess.run(
        [
            *("docker", "run", "--rm", "--network=none", f"-v={file}:/cfg:ro"),
            *("haproxy:2.6", "haproxy", "-c", "-f", "/cfg"),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    said = done.stdout + done.stderr
    assert "Configuration file is valid" in said
    assert "WARNING" not in said
