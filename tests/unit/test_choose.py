from __future__ import annotations

import subprocess
import sys

import pytest

from understudy.errors import UsageError
from understudy.targets.choose import TARGETS, target_of
from understudy.targets.interface import Target


@pytest.mark.parametrize("kind", sorted(TARGETS))
def test_each_target_is_made_without_asking_it_anything(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert isinstance(target_of(kind), Target)


def test_an_unknown_one_names_those_that_there_are() -> None:
    with pytest.raises(UsageError, match="'gcp'") as raised:
        target_of("gcp")
    assert raised.value.hint == "There are docker, aws."


def test_who_works_with_docker_imports_nothing_of_aws() -> None:
    code = "import sys; from understudy.targets.choose import target_of; target_of(); print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "understudy.targets.docker" in said
    assert not [name for name in said if name.startswith(("boto", "understudy.targets.aws", "pulumi_aws"))]
