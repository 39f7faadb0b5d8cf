"""Serves a Pulumi program, a plain callable, to the CLI's `--client` as a language host on 127.0.0.1."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from understudy.engine.interface import Program
from understudy.provider.complaint import complaint, ours

if TYPE_CHECKING:
    from pulumi.runtime.proto.language_pb2 import RunRequest, RunResponse

__all__ = ["Served", "serve"]

T = TypeVar("T")

_SETTLE = 1.0
"""Seconds that a program has to notice that its CLI is gone; one that notices nothing is left to itself."""

_THREADS_A_STEP = 4
"""Threads for each parallel step, as in the SDK: each registration waits in one until its resource is there."""


class Served:
    """A program that is being served: where, and what it raised, itself or in an apply."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self.port = 0
        self.raised: BaseException | None = None

    def __call__(self) -> None:
        """Run the program, and remember what it raises: the CLI only hands on a text."""
        try:
            self._program()
        except BaseException as error:
            self.raised = error
            raise


@contextmanager
def serve(program: Program) -> Iterator[Served]:
    """Serve `program` as long as the context lasts; only processes of our own user get an answer."""
    import grpc
    from pulumi.automation._server import LanguageServer
    from pulumi.runtime.proto import language_pb2_grpc

    from understudy.provider.peer import OwnUserOnly

    class Host(LanguageServer):
        """The SDK's own servicer, the one of the Automation API's Stack.up, but for the run itself: see _run."""

        def Run(self, request: RunRequest, _context: object) -> RunResponse:  # noqa: N802 - gRPC's name
            return contextvars.copy_context().run(_run, served, request)

    served, guard, threads = Served(program), OwnUserOnly(), _DaemonThreads()
    server = grpc.server(threads, interceptors=[guard])
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(Host(served), server)
    guard.port = served.port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield served
    finally:
        server.stop(grace=0)
        threads.settle(_SETTLE)


def _run(program: Served, request: RunRequest) -> RunResponse:
    """Run a program for the engine that asks for it.

    The SDK's own version of this stops its event loop once the CLI is gone, then fails to say so to that very CLI,
    and leaves the loop open with a coroutine in it. Here the program is cancelled and everything is closed.
    """
    from pulumi.runtime import reset_options, set_all_config
    from pulumi.runtime.proto import language_pb2

    reset_options(
        project=request.project,
        monitor_address=request.monitor_address,
        engine_address=request.args[0] if request.args else "",
        stack=request.stack,
        parallel=request.parallel,
        preview=request.dryRun,
        organization=request.organization or "organization",
    )
    if request.config:
        set_all_config(dict(request.config), list(request.configSecretKeys))
    with asyncio.Runner(loop_factory=functools.partial(_loop, request.parallel)) as runner:
        return language_pb2.RunResponse(error=runner.run(_outcome(program)))


def _loop(parallel: int) -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    loop.set_default_executor(ThreadPoolExecutor(max_workers=max(parallel, 1) * _THREADS_A_STEP))
    return loop


async def _outcome(program: Served) -> str:
    """What there is to complain about after the program ran; "": nothing, or nobody is left to hear it."""
    import grpc
    from pulumi import log
    from pulumi.runtime.stack import run_in_stack

    work = asyncio.ensure_future(run_in_stack(program))

    def unobserved(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if isinstance(context.get("exception"), grpc.RpcError):
            work.cancel()  # a registration got no answer: the engine is gone or shutting down

    asyncio.get_running_loop().set_exception_handler(unobserved)
    try:
        await work
    except asyncio.CancelledError:
        return ""
    except BaseException as error:  # noqa: BLE001 - also a program's sys.exit is its failure, not ours
        said = complaint(error)
        program.raised = program.raised or (error if ours(error) else None)
    else:
        return ""
    if said:
        with suppress(grpc.RpcError):
            log.error(said)
    return said


class _DaemonThreads(ThreadPoolExecutor):
    """A thread for each call. They are daemons: a program that never returns must not keep the process alive."""

    def __init__(self) -> None:
        super().__init__(max_workers=1)
        self._calls: set[Future[Any]] = set()

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:  # noqa: ANN401 - as in Executor
        """See Executor.submit."""
        future: Future[T] = Future()
        self._calls.add(future)

        def work() -> None:
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits for the future
                future.set_exception(error)

        threading.Thread(target=work, daemon=True, name="pulumi-program").start()
        return future

    def settle(self, seconds: float) -> None:
        """Wait for the calls under way, for as long at most."""
        wait(set(self._calls), timeout=seconds)
