"""The processes of the benchmark on AWS: moto, the provider of the tests, and one life of an empty stack.

Run as `bench_aws_parts.py MODE ARGUMENTS`; each says what it found as a line of JSON.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

__all__ = ["ACCOUNT", "STATE", "Calls", "renamed"]

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

ACCOUNT = "123456789012"
"""Moto's."""

STATE = "state"
"""The bucket for states that are kept in S3."""


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
        make_bucket(url, STATE)
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
        return {"calls": len(self._heard), "both": time.perf_counter() - began}


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


def empty(folder: str) -> None:
    """An empty stack, with its state in a folder: up and gone."""
    from understudy.engine.factory import make_engine
    from understudy.engine.interface import StackRef
    from understudy.engine.pulumi_cli import ensure
    from understudy.engine.settings import EngineSettings

    state = Path(folder) / "empty"
    state.mkdir(exist_ok=True)
    engine = make_engine(EngineSettings(ensure(lambda _: None).path, state, state.as_uri(), "of-a-benchmark"), {})
    ref = StackRef("understudy", "empty")
    began = time.perf_counter()
    engine.up(ref, lambda: None)
    ready = time.perf_counter()
    engine.destroy(ref)
    print(json.dumps({"up": ready - began, "gone": time.perf_counter() - ready}))


if __name__ == "__main__":
    {each.__name__: each for each in (cloud, provider, empty)}[sys.argv[1]](*sys.argv[2:])
