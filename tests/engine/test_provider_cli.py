"""The real CLI: with the provider attached in process, and plain `pulumi up` that finds provider and language host."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from understudy.stacks.identity import ownership_labels

pytestmark = [pytest.mark.docker, pytest.mark.pulumi]

LIMIT = 120

PROGRAM = """
import json
import pulumi, pulumi_docker as docker
given = json.load(open("given.json"))
labels = lambda kind, **more: [
    getattr(docker, kind + "LabelArgs")(label=k, value=v) for k, v in {**given["labels"], **more}.items()
]
image = docker.RemoteImage("image", name="busybox:1.35", keep_locally=True)
net = docker.Network("net", name=given["id"] + "-net", internal=True, labels=labels("Network"))
data = docker.Volume("data", labels=labels("Volume"))
web = docker.Container(
    "web", name=given["id"] + "-web", image=image.image_id,
    labels=labels("Container", **{"dev.understudy.ports": "80"}), command=given["command"],
    envs=given["envs"], restart=given["restart"], wait=True, wait_timeout=given["timeout"],
    networks_advanced=[docker.ContainerNetworksAdvancedArgs(name=net.name, aliases=["web"])],
    volumes=[docker.ContainerVolumeArgs(volume_name=data.name, container_path="/data")],
)
pulumi.export("address", web.network_datas[0].ip_address)
"""

GIVEN = {"command": ["httpd", "-f", "-p", "80"], "envs": ["A=1"], "restart": "no", "timeout": 60}


class Project:
    """A Pulumi project in a folder of its own, with a backend and home of its own."""

    def __init__(self, folder: Path, environment: Any, more: dict[str, str]) -> None:
        from understudy.engine.pulumi_cli import find

        self.folder, self.environment = folder, environment
        self.cli = str(find().path)
        for name in ("home", "state"):
            (folder / name).mkdir()
        kept = {key: value for key, value in os.environ.items() if not key.startswith("PULUMI_")}
        self.variables = {
            **kept,
            "PULUMI_HOME": str(folder / "home"),
            "PULUMI_BACKEND_URL": (folder / "state").as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "x",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "NO_COLOR": "1",
            **more,
        }
        self.write(PROGRAM)
        self.give()
        self.run("stack", "init", "test")

    def write(self, program: str) -> None:
        launcher = Path(__file__).parents[2] / "understudy/engine/pulumi-language-python"
        host = self.folder / "host"
        host.mkdir(exist_ok=True)
        (host / launcher.name).write_bytes(launcher.read_bytes())
        (host / launcher.name).chmod(0o755)
        settings = {
            "name": "provider-tests",
            "runtime": {"name": "python", "options": {"virtualenv": sys.prefix}},
            "plugins": {
                "providers": [{"name": "docker", "path": f"{sys.prefix}/share/understudy/plugins"}],
                "languages": [{"name": "python", "path": "host"}],
            },
        }
        (self.folder / "Pulumi.yaml").write_text(json.dumps(settings))
        (self.folder / "__main__.py").write_text(program)

    def give(self, **changes: Any) -> None:
        given = {**GIVEN, "id": self.environment.id, "labels": ownership_labels(self.environment), **changes}
        (self.folder / "given.json").write_text(json.dumps(given))

    def start(self, *argv: str) -> subprocess.Popen[str]:
        # Into a file, as the CLI dies of a broken pipe when its reader goes.
        with (self.folder / "out.txt").open("w") as out:
            return subprocess.Popen(
                [self.cli, *argv, "--non-interactive"], cwd=self.folder, env=self.variables, stdout=out, stderr=out
            )

    def output(self) -> str:
        return (self.folder / "out.txt").read_text()

    def run(self, *argv: str, fails: bool = False) -> str:
        code = self.start(*argv).wait(LIMIT)
        assert (code != 0) is fails, self.output()
        return self.output()

    def state(self) -> dict[str, Any]:
        self.run("stack", "export", "--file", "export.json")
        return json.loads((self.folder / "export.json").read_text())["deployment"]


@pytest.fixture
def project(tmp_path: Path, environment: Any) -> Iterator[Project]:
    made = Project(tmp_path, environment, {})
    yield made
    made.start("destroy", "--yes", "--skip-preview").wait(LIMIT)


@pytest.fixture
def attached(tmp_path: Path, environment: Any, provider: Any) -> Iterator[Project]:
    made = Project(tmp_path, environment, {"PULUMI_DEBUG_PROVIDERS": f"docker:{provider.port}"})
    yield made
    made.start("destroy", "--yes", "--skip-preview").wait(LIMIT)


def changes(output: str) -> dict[str, int]:
    """The counts of the CLI's summary, such as `4 to create`, `1 replaced`."""
    summary = output.partition("\nResources:\n")[2]
    found = re.findall(r"^ +[-+~]* ?(\d+) (?:to )?(\w+)", summary, re.MULTILINE)
    return {verb.rstrip("d"): int(count) for count, verb in found}


def container(project: Project) -> dict[str, Any] | None:
    from docker.errors import NotFound

    from understudy.targets.docker_client import client

    try:
        return client().api.inspect_container(f"{project.environment.id}-web")
    except NotFound:
        return None


def test_plain_pulumi_from_up_to_destroy_without_a_warning(project: Project) -> None:
    said = project.run("up", "--yes")
    assert "warning" not in said.lower()
    assert "Traceback" not in said
    assert changes(said)["create"] == 5
    first = container(project)
    assert first["State"]["Running"]
    assert project.run("stack", "output", "address").strip() in str(first["NetworkSettings"])

    assert changes(project.run("preview")) == {"unchange": 5}
    project.give(restart="always")
    assert changes(project.run("preview"))["update"] == 1
    project.run("up", "--yes", "--skip-preview")
    second = container(project)
    assert second["Id"] == first["Id"]
    assert second["HostConfig"]["RestartPolicy"]["Name"] == "always"

    project.give(restart="always", envs=["A=2"])
    assert changes(project.run("preview"))["replace"] == 1
    project.run("up", "--yes", "--skip-preview")
    third = container(project)
    assert third["Id"] != first["Id"]
    assert "A=2" in third["Config"]["Env"]

    from understudy.targets.docker_client import client

    client().api.remove_container(third["Id"], force=True)
    assert changes(project.run("refresh", "--yes", "--skip-preview"))["delete"] == 1
    assert changes(project.run("up", "--yes", "--skip-preview"))["create"] == 1

    said = project.run("destroy", "--yes", "--skip-preview")
    assert "warning" not in said.lower()
    assert container(project) is None
    assert not project.state().get("resources")


def test_a_replaced_network_takes_its_containers_with_it(attached: Project) -> None:
    attached.run("up", "--yes", "--skip-preview")
    before = container(attached)
    attached.write(PROGRAM.replace("internal=True", "internal=False"))
    assert changes(attached.run("preview"))["replace"] == 2
    attached.run("up", "--yes", "--skip-preview")
    assert container(attached)["Id"] != before["Id"]


def test_preview_makes_nothing(attached: Project) -> None:
    assert changes(attached.run("preview"))["create"] == 5
    assert container(attached) is None


def test_a_container_that_does_not_get_ready_is_in_the_state_and_destroyed(attached: Project) -> None:
    attached.give(command=["sh", "-c", "echo the cause; exit 9"])
    said = attached.run("up", "--yes", "--skip-preview", fails=True)
    assert "exited with code 9" in said
    assert "the cause" in said
    recorded = next(r for r in attached.state()["resources"] if r["type"].endswith(":Container"))
    assert recorded["id"] == container(attached)["Id"]
    assert recorded["initErrors"]
    attached.run("destroy", "--yes", "--skip-preview")
    assert container(attached) is None


def test_a_container_that_is_still_not_ready_fails_the_next_up_too(attached: Project) -> None:
    attached.give(command=["sleep", "300"], timeout=1)
    for _ in range(2):
        assert "was not within 1 s" in attached.run("up", "--yes", "--skip-preview", fails=True)


def test_wrong_inputs_are_told_with_their_property(attached: Project) -> None:
    attached.give(restart="sometimes")
    said = attached.run("up", "--yes", "--skip-preview", fails=True)
    assert "no, always, on-failure or unless-stopped" in said
    attached.write(PROGRAM.replace('labels=labels("Network")', "labels=[]"))
    said = attached.run("preview", fails=True)
    assert "lacks dev.understudy.environment" in said


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def test_one_signal_ends_a_wait_at_once_with_nothing_pending(attached: Project) -> None:
    attached.give(command=["sleep", "300"], timeout=600)
    running = attached.start("up", "--yes", "--skip-preview")
    until(lambda: (found := container(attached)) and found["State"]["Running"])
    running.send_signal(signal.SIGTERM)
    assert running.wait(60) != 0
    state = attached.state()
    assert not state.get("pending_operations")
    assert any(r["type"].endswith(":Container") for r in state["resources"])
    attached.run("destroy", "--yes", "--skip-preview")
    assert container(attached) is None


APPLIES = "import pulumi\npulumi.export('x', pulumi.Output.from_input(1).apply(fail))\n"
RAISES = "from understudy.errors import UsageError\n"
OURS = 'UsageError("The topology is missing.", hint="Name one with -f.")'


@pytest.mark.parametrize(
    "program",
    [
        f"{RAISES}raise {OURS}\n",
        f"{RAISES}def fail(_): raise {OURS}\n{APPLIES}",
        f"{RAISES}try:\n    raise {OURS}\nexcept UsageError as error:\n    raise RuntimeError('wrapped') from error\n",
    ],
    ids=["plainly", "in an apply", "wrapped"],
)
def test_our_own_errors_are_shown_as_their_message_only(project: Project, program: str) -> None:
    project.write(program)
    said = project.run("preview", fails=True)
    assert said.partition("Diagnostics:")[2].count("The topology is missing.") == 1
    assert "Name one with -f." in said
    assert "Traceback" not in said
    assert "wrapped" not in said


def test_other_errors_show_where_they_happened(project: Project) -> None:
    project.write("print('so far')\n1 / 0\n")
    said = project.run("preview", fails=True)
    assert "so far" in said
    assert "ZeroDivisionError" in said
    assert "__main__.py" in said
