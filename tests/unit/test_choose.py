from __future__ import annotations

import subprocess
import sys

import pytest

from understudy.errors import UsageError
from understudy.options import Options, resolve
from understudy.targets.choose import AWS, DOCKER, elsewhere, kind_of, target_of
from understudy.targets.interface import Target


@pytest.mark.parametrize("kind", [DOCKER, AWS])
def test_each_target_is_made_without_asking_it_anything(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert isinstance(target_of(Options(target=kind)), Target)


def test_an_unknown_one_names_those_that_there_are() -> None:
    with pytest.raises(UsageError, match="--target: 'gcp' is not one of docker, aws"):
        resolve({"target": "gcp"}, {}, None)


def test_an_environment_s_own_target_counts_whatever_the_options_say() -> None:
    from understudy.targets.aws.target import AwsTarget
    from understudy.targets.docker import DockerTarget

    here = target_of(Options(aws_accounts=("123456789012",)), of="aws:123456789012:eu-west-3")
    assert isinstance(here, AwsTarget)
    assert here.session.region == "eu-west-3"
    assert here.session.access.accounts == ("123456789012",)
    assert isinstance(target_of(Options(target=AWS), of="docker:abc"), DockerTarget)
    assert [kind_of(each) for each in ("aws:123456789012:eu-west-3", "docker:abc", "")] == [AWS, DOCKER, DOCKER]


def test_what_to_do_about_another_target_names_its_account_and_region() -> None:
    said = elsewhere("aws:123456789012:eu-west-3")
    assert said == "Use credentials of account 123456789012, with --target aws and --aws-region eu-west-3."
    assert "DOCKER_HOST" in elsewhere("docker:abc")


def test_who_works_with_docker_imports_nothing_of_aws() -> None:
    code = "import sys; from understudy.options import Options; from understudy.targets.choose import target_of; "
    code += "target_of(Options()); print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "understudy.targets.docker" in said
    assert not [name for name in said if name.startswith(("boto", "understudy.targets.aws", "pulumi_aws"))]


def test_who_works_on_aws_imports_what_docker_and_the_program_need_when_it_comes_to_that() -> None:
    code = "import sys, understudy.lifecycle; from understudy.options import Options; "
    code += "from understudy.targets.choose import target_of; target_of(Options(target='aws')); print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "understudy.targets.aws.target" in said
    assert not {"docker", "requests", "grpc", "pulumi", "pulumi_aws"} & {name.partition(".")[0] for name in said}
