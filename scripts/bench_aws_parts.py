"""The processes of the benchmark on AWS: moto, the provider of the tests, and one life of an environment or stack.

Run as `bench_aws_parts.py MODE ARGUMENTS`; each says what it found as a line of JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

__all__ = ["ACCOUNT", "REGION", "renamed"]

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

REGION, ACCOUNT = "eu-west-1", "123456789012"
URL = "https://sqs.eu-west-1.amazonaws.com/999999999999/"


# 1. What stays, and answers to words


def serve(found: object, words: Mapping[str, Callable[[], object]]) -> None:
    """Say what was found, then answer to words, and to `used` with the processor time so far, until the input ends."""
    print(json.dumps(found), flush=True)
    known = {"used": time.process_time, **words}
    for line in sys.stdin:
        print(json.dumps(known[line.strip()]()), flush=True)


def cloud() -> None:
    """Moto's server, in AWS's place."""
    from aws.moto_gaps import filled
    from s3_server import make_bucket, serve_moto

    with filled(), serve_moto() as url:
        make_bucket(url, "state")
        serve(url, {})


def provider() -> None:
    """The provider of the tests, in the published plugin's place; it can make the calls of the last life again."""
    from aws.provider.account import Account
    from aws.provider.package import AwsPackage

    from understudy.provider.server import PackageServer

    package = AwsPackage()
    calls = Calls(Account.ask)

    def ask(account: Account, service: str, operation: str, region: str = "", /, **given: object) -> dict[str, Any]:
        return calls.ask(account, service, operation, region, given)

    with mock.patch.object(Account, "ask", ask), PackageServer(package, threads=64) as server:
        serve(server.port, {"forget": calls.forget, "again": calls.again})


class Calls:
    """The calls of a life with their answers, in the order in which they ended."""

    def __init__(self, asked: Callable[..., dict[str, Any]]) -> None:
        self._asked = asked
        self._lock = threading.Lock()
        self._heard: list[tuple[Any, str, str, Mapping[str, object], dict[str, Any] | None]] = []

    def ask(
        self, account: object, service: str, operation: str, region: str, given: Mapping[str, object]
    ) -> dict[str, Any]:
        """Make a call, and remember it."""
        answer = None
        try:
            answer = self._asked(account, service, operation, region, **given)
            return answer
        finally:
            with self._lock:
                self._heard.append((account, service, operation, given, answer))

    def forget(self) -> int:
        """Forget all; says how many they were."""
        count = len(self._heard)
        self._heard.clear()
        return count

    def again(self) -> dict[str, float]:
        """Make them again one after another, with the ids of now in the place of those of then."""
        from aws.provider.account import AwsError

        names: dict[str, str] = {}
        began = time.perf_counter()
        for account, service, operation, given, answer in self._heard:
            try:
                now = self._asked(account, service, operation, **renamed(given, names))
            except AwsError:  # as it was then: what is gone is looked for
                continue
            _learn(answer, now, names)
        return {"calls": len(self._heard), "all": time.perf_counter() - began}


def renamed(value: Any, names: Mapping[str, str]) -> Any:  # noqa: ANN401 - parameters of boto3
    """Parameters with every old id, wherever in a text it stands, replaced by the new one."""
    if isinstance(value, Mapping):
        return {key: renamed(item, names) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [renamed(item, names) for item in value]
    if isinstance(value, str):
        for old, new in names.items():
            value = value.replace(old, new)
    return value


def _learn(then: Any, now: Any, names: dict[str, str]) -> None:  # noqa: ANN401 - answers of boto3
    """What stood in an answer then, and what stands there now."""
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        for key in then.keys() & now.keys() - {"ResponseMetadata"}:
            _learn(then[key], now[key], names)
    elif isinstance(then, (list, tuple)) and isinstance(now, (list, tuple)):
        for before, after in zip(then, now, strict=False):
            _learn(before, after, names)
    elif isinstance(then, str) and isinstance(now, str) and then != now:
        names[then] = now


# 2. What is started for one thing


def _engine(folder: str, backend: str, port: str) -> Any:  # noqa: ANN401 - an Engine, which is not imported up here
    from understudy.engine.factory import make_engine
    from understudy.engine.pulumi_cli import ensure
    from understudy.engine.settings import EngineSettings

    cli = ensure(lambda _: None).path
    return make_engine(EngineSettings(cli, Path(folder), backend, "of-a-benchmark"), {"aws": int(port)})


def platform(*where: str) -> None:
    """The platform's stack, up; says its outputs."""
    import pulumi

    from understudy.components.aws.platform import Platform, PlatformArgs
    from understudy.engine.interface import StackRef

    def program() -> None:
        args = PlatformArgs(account=ACCOUNT, region=REGION, zones=(f"{REGION}a", f"{REGION}b"))
        for name, value in Platform("understudy", args).outputs.items():
            pulumi.export(name, value)

    print(json.dumps(dict(_engine(*where).up(StackRef("understudy-platform", REGION), program).outputs)))


def life(outputs: str, *where: str) -> None:
    """An environment on the platform of these outputs, or without any an empty stack: up and gone."""
    from understudy.engine.events import Op, ResourceDone
    from understudy.engine.interface import StackRef

    program = _environment(json.loads(outputs)) if outputs else lambda: None
    engine, ref, made = _engine(*where), StackRef("understudy", "bench"), []
    began = time.perf_counter()
    engine.up(ref, program, listener=made.append)
    ready = time.perf_counter()
    engine.destroy(ref)
    gone = time.perf_counter()
    found = [each for each in made if isinstance(each, ResourceDone) and each.op == Op.CREATE]
    ours, cli = (sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    resources = sum(each.type.startswith("aws:") for each in found)
    print(json.dumps({"resources": resources, "ready": ready - began, "gone": gone - ready, "ours": ours, "cli": cli}))


def _environment(outputs: Mapping[str, Any]) -> Callable[[], None]:
    """A shop: a gateway, a service, a database in a container, two queues and a bucket."""
    from aws.plans import planned, service, topology

    from understudy.components.aws.environment import AwsEnvironment, AwsEnvironmentArgs
    from understudy.stacks.aws.platform import platform_of
    from understudy.stacks.clone import Clone, Endpoint, secret_token
    from understudy.stacks.secret_rules import Seed
    from understudy.stacks.topology import Dependency, Managed, Port

    queues = ("orders", "mails")
    password = {"POSTGRES_PASSWORD": secret_token("DB")}
    told = {"DATABASE_URL": f"postgres://app:{secret_token('DB')}@db:5432/app", "UPLOADS": "s3://uploads/in"}
    found = topology(
        service("web", kind="gateway", ports=(Port(8080),), depends_on=(Dependency("api"),)),
        service("api", environment=told | {q.upper(): URL + q for q in queues}, depends_on=(Dependency("db"),)),
        service("db", kind="database", image="postgres:15", environment=password),
        *(service(q, kind="queue", managed=Managed("sqs", q, options={"url": URL + q})) for q in queues),
        service("uploads", kind="bucket", managed=Managed("s3", "uploads")),
        secrets=("DB",),
    )
    clone = Clone(found, endpoints=(Endpoint("web", 8080, "http"),))
    plan = planned(clone, platform=platform_of(outputs, "the benchmark's platform"))
    args = AwsEnvironmentArgs(plan=plan, seed=Seed(b"seed"))

    def program() -> None:
        AwsEnvironment("shop", args)

    return program


if __name__ == "__main__":
    {each.__name__: each for each in (cloud, provider, platform, life)}[sys.argv[1]](*sys.argv[2:])
