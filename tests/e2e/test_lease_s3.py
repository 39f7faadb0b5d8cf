"""A team's backend in a bucket, with the real CLI: whoever has the backend and the passphrase ends an environment."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from s3_server import credentials, make_bucket, serve_moto
from support import Project, labelled

pytestmark = [pytest.mark.docker, pytest.mark.pulumi, pytest.mark.images]

WEB = """\
services:
  web:
    image: busybox:1.35
    command: [sh, -c, "echo hello > /index.html; httpd -f -p 8080 -h /"]
    ports: ["8080"]
"""


def test_a_stranger_with_the_backend_ends_what_another_made(small: Callable[[str], Project], tmp_path: Path) -> None:
    with serve_moto() as url:
        bucket = make_bucket(url, "team")
        options = f"region=eu-west-1&endpoint={url.removeprefix('http://')}&disableSSL=true&s3ForcePathStyle=true"
        there = {
            **credentials(url),
            "PULUMI_BACKEND_URL": f"s3://team/shop?{options}",
            "PULUMI_CONFIG_PASSPHRASE": "of the team",
        }

        def keys() -> list[str]:
            return sorted(each["Key"] for each in bucket.list_objects_v2(Bucket="team").get("Contents", []))

        maker = small(WEB)
        made = maker.understudy("up", "--format", "json", env=there)
        assert made.code == 0, made.text
        environment = json.loads(made.out)["environment"]
        assert f"shop/.understudy/leases/{environment}.json" in keys()
        again = maker.understudy("up", "--format", "json", env=there)
        assert again.code == 0, again.text

        (tmp_path / "empty").mkdir()
        other = {**maker.env, **there, "XDG_STATE_HOME": str(tmp_path / "another")}
        stranger = Project(tmp_path / "empty", tmp_path / "empty", other)
        (lease,) = stranger.listed()
        assert (lease["id"], lease["state"]) == (environment, "kept")
        done = stranger.understudy("down", environment)
        assert done.code == 0, done.text
        assert labelled("environment", environment) == []
        assert stranger.listed() == []
        assert [key for key in keys() if environment in key and "/receipts/" not in key] == []
        proof = maker.understudy("receipt", environment, "--format", "json", env=there)
        assert proof.code == 0, proof.text
        assert json.loads(proof.out)["looked"]["container"] >= 0
        assert maker.understudy("receipt", "enobody", env=there).code == 2
