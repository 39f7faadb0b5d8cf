"""AWS on 127.0.0.1: moto's server, credentials that open nothing, and the real engine with its state in moto's S3."""

from __future__ import annotations

import contextlib
import http.client
import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from s3_server import credentials, make_bucket, serve_moto

from understudy.components.aws.ahead import read_ahead
from understudy.engine.interface import Engine
from understudy.engine.pulumi_cli import find
from understudy.engine.pulumi_engine import PulumiEngine
from understudy.engine.settings import EngineSettings
from understudy.provider.server import PackageServer

from .moto_gaps import filled
from .programs import STALE

REGION = "eu-west-1"
ACCOUNT = "123456789012"
STATE = "understudy-state"
PATIENCE = 120.0
"""Seconds for which what a test holds back is held at most."""

os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"
"""1,296 machine images that no test asks for: moto makes them anew at each reset, 0.25 s of a processor a region."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of this folder goes to one worker: what it imports and reads of models takes seconds, in each that does."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent) and item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group("aws"))


@pytest.fixture(autouse=True)
def _read_to_the_end() -> Iterator[None]:
    """What a command in this process began to read of pulumi_aws is there before the next test uses it."""
    yield
    if read_ahead.cache_info().currsize:
        read_ahead().join()


@dataclass
class Moto:
    """An account that exists for one module of tests."""

    url: str
    region: str = REGION
    account: str = ACCOUNT
    calls: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    """What the provider asked of it: service, operation and parameters, in order."""
    asked_for: dict[str, set[tuple[str, str]]] = field(default_factory=dict)
    """What it asked for each type of resource: service and operation."""
    asked_of_state: set[tuple[str, str]] = field(default_factory=set)
    """What anybody asked of the bucket that keeps the state: service and operation."""
    gates: dict[str, threading.Event] = field(default_factory=dict)
    """Operation -> what it waits for before it is asked."""

    def hear(self, service: str, operation: str, given: Mapping[str, Any]) -> None:
        """Take note of what the provider is about to ask, and let it wait where that is held."""
        self.calls.append((service, operation, dict(given)))
        if operation in self.gates:
            self.gates[operation].wait(PATIENCE)

    @contextlib.contextmanager
    def held(self, operation: str) -> Iterator[None]:
        """The provider asks for this only once the context is left."""
        self.gates[operation] = threading.Event()
        try:
            yield
        finally:
            self.gates.pop(operation).set()

    def owned(self) -> list[str]:
        """The ARNs of all that carries an environment's tags, without what the tagging API shows of the dead."""
        pages = self.client("resourcegroupstaggingapi").get_paginator("get_resources")
        found = [
            each["ResourceARN"]
            for page in pages.paginate(TagFilters=[{"Key": "dev.understudy.environment"}])
            for each in page["ResourceTagMappingList"]
        ]
        return [arn for arn in found if not any(part in arn for part in STALE)]

    def client(self, service: str) -> Any:
        return boto3.client(service, region_name=self.region)

    def arns(self, **tags: str) -> list[str]:
        """The ARNs of all that has these tags, by the tagging API, sorted."""
        pages = self.client("resourcegroupstaggingapi").get_paginator("get_resources")
        wanted = [{"Key": key, "Values": [value]} for key, value in tags.items()]
        return sorted(
            e["ResourceARN"] for page in pages.paginate(TagFilters=wanted) for e in page["ResourceTagMappingList"]
        )

    def asked(self, *operations: str) -> list[tuple[str, dict[str, Any]]]:
        """The calls of these operations, in order."""
        return [(operation, given) for _, operation, given in self.calls if operation in operations]


@pytest.fixture(scope="module")
def moto() -> Iterator[Moto]:
    """Moto's server, empty, with credentials and region in the environment; it is emptied again afterwards."""
    with pytest.MonkeyPatch.context() as patch, filled(), serve_moto() as url:
        for name, value in credentials(url).items():
            patch.setenv(name, value)
        patch.delenv("AWS_ENDPOINT_URL_S3")
        patch.setenv("AWS_ENDPOINT_URL", url)
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        patch.delenv("AWS_PROFILE", raising=False)
        patch.delenv("AWS_REGION", raising=False)
        logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line a request, of which there are hundreds
        _reset(url)
        made = Moto(url)
        patch.setattr(DomainDispatcherApplication, "__call__", _heard(made.asked_of_state))
        try:
            yield made
        finally:
            _reset(url)


_OBJECT = {"GET": "get_object", "HEAD": "head_object", "PUT": "put_object", "DELETE": "delete_object"}
_BUCKET = {"GET": "list_objects_v2", "HEAD": "head_bucket", "PUT": "create_bucket", "POST": "delete_objects"}


def _heard(asked: set[tuple[str, str]]) -> Callable[..., Any]:
    """Moto's application, which writes down what is asked of the bucket that keeps the state."""
    answer = DomainDispatcherApplication.__call__

    def hear(self: DomainDispatcherApplication, environ: dict[str, Any], respond: Any) -> Any:
        bucket, _, key = environ.get("PATH_INFO", "").lstrip("/").partition("/")
        if bucket == STATE:
            method = environ["REQUEST_METHOD"]
            asked.add(("s3", (_OBJECT if key else _BUCKET).get(method, method)))
            if "HTTP_X_AMZ_COPY_SOURCE" in environ:
                asked.add(("s3", "get_object"))
        return answer(self, environ, respond)

    return hear


def _reset(url: str) -> None:
    with contextlib.closing(http.client.HTTPConnection(url.removeprefix("http://"), timeout=180)) as there:
        there.request("POST", "/moto-api/reset")
        assert there.getresponse().status == 200


@pytest.fixture(scope="module")
def aws_provider(moto: Moto) -> Iterator[PackageServer]:
    """The provider of `aws` resources; what it asks stands in `moto.calls`."""
    from .provider.package import AwsPackage

    with PackageServer(AwsPackage(moto.hear, moto.asked_for), threads=64) as server:
        yield server


def commanded(provider: PackageServer) -> dict[str, str]:
    """What the commands need to work on moto by the provider of the tests; no Docker answers them."""
    return {
        "PULUMI_DEBUG_PROVIDERS": f"aws:{provider.port}",
        "DOCKER_HOST": "tcp://127.0.0.1:1",
        "UNDERSTUDY_AWS_ACCOUNTS": ACCOUNT,
    }


@pytest.fixture(scope="module")
def aws_engine(moto: Moto, aws_provider: PackageServer, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """The real engine; state and locks are in moto's S3, and nothing is downloaded."""
    make_bucket(moto.url, STATE)
    backend = f"s3://{STATE}?endpoint={moto.url}&s3ForcePathStyle=true&region={REGION}"
    return _engine(tmp_path_factory.mktemp("aws-engine"), backend, aws_provider)


@pytest.fixture(scope="module")
def aws_engine_on_disk(aws_provider: PackageServer, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """The real engine with its state in a folder: that of many resources costs less there than in moto's S3."""
    folder = tmp_path_factory.mktemp("aws-engine")
    (folder / "state").mkdir()
    return _engine(folder, (folder / "state").as_uri(), aws_provider)


def _engine(folder: Path, backend: str, provider: PackageServer) -> Engine:
    found = find()
    assert found is not None
    settings = EngineSettings(found.path, folder, backend, passphrase="of-a-test")
    settings.prepare()
    return PulumiEngine(settings, {"aws": provider.port})
