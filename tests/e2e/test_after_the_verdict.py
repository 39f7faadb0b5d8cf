"""What comes after the verdict: sinks before destroy, and an environment that is kept, extended and removed."""

from __future__ import annotations

import json
import shlex
import sys
import urllib.request
import uuid
from collections.abc import Callable
from datetime import datetime

import pytest
from s3_server import credentials, make_bucket, serve_moto, serve_proxy
from support import Project, labelled

pytestmark = [pytest.mark.docker, pytest.mark.pulumi, pytest.mark.images]

FAILING = """\
services:
  web:
    image: busybox:1.35
    command: [sh, -c, "echo hello > /index.html; httpd -f -p 8080 -h /"]
    ports: ["8080"]
x-understudy:
  tests:
    no: {command: ["false"]}
"""

LOOK = """
import json, os, subprocess, sys
environment = json.load(open(os.environ["UNDERSTUDY_RUN"] + "/run.json"))["environment"]
label = "label=dev.understudy.environment=" + environment
found = subprocess.run(["docker", "ps", "-q", "--filter", label], capture_output=True, text=True).stdout.split()
print(os.environ["UNDERSTUDY_EXPORT_STAGE"], "containers:", len(found))
"""


def test_a_kept_failure_answers_is_extended_and_removed(small: Callable[[str], Project]) -> None:
    project = small(FAILING)
    done = project.understudy("run", "--keep-on-failure", "--ttl", "1h", "--max-ttl", "2h")
    assert done.code == 1, done.text
    record = project.record()
    kept, (endpoint,) = record["kept"], record["endpoints"]
    assert record["receipt"] is None
    assert record["exit_code"] == 1
    for told in (endpoint["url"], *kept["commands"], f"kept until {kept['expires']}"):
        assert told in done.out
    with urllib.request.urlopen(f"{endpoint['url']}/index.html", timeout=10) as answer:  # noqa: S310 - http
        assert answer.read() == b"hello\n"
    (lease,) = project.leases()
    assert (lease["state"], lease["expires"]) == ("kept", kept["expires"])
    environment = str(lease["id"])
    extended = project.understudy("extend", environment, "10m")
    assert extended.code == 0, extended.text
    (lease,) = project.leases()
    longer = datetime.fromisoformat(str(lease["expires"])) - datetime.fromisoformat(kept["expires"])
    assert longer.total_seconds() == 600
    refused = project.understudy("extend", environment, "5h")
    assert refused.code == 2, refused.text
    assert str(lease["not_after"]) in refused.err
    again = project.understudy("test", environment)
    assert again.code == 1, again.text
    down = next(command for command in kept["commands"] if " down " in command).split()[1:]
    done = project.understudy(*down)
    assert done.code == 0, done.text
    assert "CLEAN" in done.out
    assert labelled("environment", environment) == []


def test_sinks_get_all_of_it_before_and_after_destroy(small: Callable[[str], Project]) -> None:
    project = small(FAILING)
    look = shlex.join([sys.executable, "-c", LOOK])
    with serve_moto() as moto, serve_proxy(moto) as proxy:
        name = f"b{uuid.uuid4().hex[:12]}"
        bucket = make_bucket(moto, name)
        proxy.fail(2, (503, "SlowDown"))
        env = credentials(proxy.url)
        done = project.understudy("run", "--export", f"s3://{name}/ci", "--export", look, env=env)
        assert done.code == 1, done.text
        run = project.latest()
        record = project.record()
        assert [(sink["sink"].partition(" ")[0], sink["ok"]) for sink in record["sinks"]] == [
            (f"s3://{name}/ci", True),
            ("command", True),
        ], record["sinks"]
        assert record["sinks"][0]["attempts"] == 3
        manifest = json.loads(bucket.get_object(Bucket=name, Key=f"ci/{run.name}/manifest.json")["Body"].read())
        sent = {each["path"] for each in manifest["files"]}
        assert sent >= {"run.json", "receipt.json", "logs/web.log", "events.jsonl"}
        there = json.loads(bucket.get_object(Bucket=name, Key=f"ci/{run.name}/run.json")["Body"].read())
        assert there["receipt"]["outcome"] == "CLEAN"
        (log,) = (run / "exports").iterdir()
        assert log.read_text().splitlines() == ["evidence containers: 2", "final containers: 0"]
        events = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
        ends = [n for n, e in enumerate(events) if e["phase"] == "export" and e["state"] == "done" and e["subject"]]
        destroyed = next(n for n, event in enumerate(events) if event["phase"] == "destroy")
        assert len(ends) == 2
        assert max(ends) < destroyed
        text = (run / "run.json").read_text() + (run / "events.jsonl").read_text()
        assert "of-a-test" not in text
        proxy.fail(1000, (403, "AccessDenied"))
        again = project.understudy("export", "latest", "--export", f"s3://{name}/other", env=env)
        assert again.code == 6, again.text
        assert "put_object" in again.text
        assert "AccessDenied" in again.text
        proxy.answer = lambda _asked: None
        again = project.understudy("export", "latest", "--export", f"s3://{name}/other", env=env)
        assert again.code == 0, again.text
        assert bucket.get_object(Bucket=name, Key=f"other/{run.name}/manifest.json")
    without = {key: value for key, value in env.items() if "KEY" not in key}
    refused = project.understudy("run", "--export", f"s3://{name}/ci", env=without)
    assert refused.code == 2, refused.text
    assert project.latest() == run, "refused before anything was made"
