"""Pulumi's Python language host, for plain `pulumi up` beside a CLI that we built: it runs the project's program."""

# ruff: noqa: N802, D102 - the methods are named and described by the protocol (pulumi, proto/pulumi/language.proto)

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import runpy
import signal
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from pulumi import log
from pulumi.runtime import reset_options, run_in_stack, set_all_config
from pulumi.runtime.proto import LanguageRuntimeServicer, language_pb2, language_pb2_grpc, plugin_pb2

from .complaint import complaint
from .parent import wait_beside
from .peer import OwnUserOnly

__all__ = ["LanguageHost", "main", "program_of"]

THREADS_PER_RESOURCE = 4
"""Threads of the event loop for each resource in flight (pulumi sdk 3.272, automation/_server.py)."""


class LanguageHost(LanguageRuntimeServicer):
    """Runs one Python program for one operation of the CLI; the process ends with it."""

    def __init__(self, engine_address: str) -> None:
        self._engine_address = engine_address

    def GetPluginInfo(self, _request: object, _context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo()

    def GetRequiredPlugins(
        self, _request: object, _context: grpc.ServicerContext
    ) -> language_pb2.GetRequiredPluginsResponse:
        return language_pb2.GetRequiredPluginsResponse()

    def GetRequiredPackages(
        self, _request: object, _context: grpc.ServicerContext
    ) -> language_pb2.GetRequiredPackagesResponse:
        return language_pb2.GetRequiredPackagesResponse()

    def About(self, _request: object, _context: grpc.ServicerContext) -> language_pb2.AboutResponse:
        version = ".".join(str(part) for part in sys.version_info[:3])
        return language_pb2.AboutResponse(executable=sys.executable, version=version)

    def Run(self, request: language_pb2.RunRequest, _context: grpc.ServicerContext) -> language_pb2.RunResponse:
        self._configure(request)
        folder, script = program_of(request)
        os.chdir(folder)
        sys.path.insert(0, str(folder))
        sys.argv = [str(script), *request.args]
        loop = asyncio.new_event_loop()
        loop.set_default_executor(ThreadPoolExecutor(max(request.parallel, 1) * THREADS_PER_RESOURCE))
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # tasks that fail after the first are noise
        try:
            loop.run_until_complete(run_in_stack(lambda: _execute(script)))
        except BaseException as error:  # noqa: BLE001 - whatever ends a program is the program's result
            return _result(error)
        finally:
            _finish(loop)
        return language_pb2.RunResponse()

    def _configure(self, request: language_pb2.RunRequest) -> None:
        reset_options(
            project=request.project,
            monitor_address=request.monitor_address,
            engine_address=self._engine_address,
            stack=request.stack,
            parallel=request.parallel,
            preview=request.dryRun,
            organization=request.organization or "organization",
        )
        if request.config:
            set_all_config(dict(request.config), list(request.configSecretKeys))


def _execute(script: Path) -> None:
    runpy.run_path(str(script), run_name="__main__")


def program_of(request: language_pb2.RunRequest) -> tuple[Path, Path]:
    """The folder of the program and its script: the entry point, or `__main__.py` in it."""
    root = Path(request.info.program_directory or request.pwd or ".")
    entry = root / (request.info.entry_point or request.program or ".")
    return (entry.parent, entry) if entry.is_file() else (entry, entry / "__main__.py")


def _result(error: BaseException) -> language_pb2.RunResponse:
    """Show what there is to complain about; `bail` tells the engine that it was shown, so that it adds nothing."""
    if isinstance(error, SystemExit) and not error.code:
        return language_pb2.RunResponse()
    said = complaint(error)
    if said:
        log.error(said)
    return language_pb2.RunResponse(bail=True)


def _finish(loop: asyncio.AbstractEventLoop) -> None:
    for task in asyncio.all_tasks(loop):
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            loop.run_until_complete(task)
    loop.close()
    sys.stdout.flush()
    sys.stderr.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the language host until SIGINT, SIGTERM or the parent's end; the engine's address is the last argument.

    The launcher has chosen the interpreter by `-root` and `-virtualenv`, so that options are not needed here.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    addresses = [argument for argument in given if not argument.startswith("-")]
    parent, done = os.getppid(), threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: done.set())
    guard = OwnUserOnly()
    server = grpc.server(ThreadPoolExecutor(THREADS_PER_RESOURCE), interceptors=[guard])
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(LanguageHost(addresses[-1] if addresses else ""), server)
    guard.port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{guard.port}\n")
    sys.stdout.flush()
    wait_beside(parent, done)
    server.stop(grace=None)
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # a program that waits for an engine which is gone would hold the CLI for the 5 s of its grace
