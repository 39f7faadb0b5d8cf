"""The complaint: what a user is shown of what ended a program - a message where it says all, else a traceback."""

from __future__ import annotations

import traceback

from understudy.errors import UnderstudyError

__all__ = ["complaint", "ours"]


def complaint(error: BaseException) -> str:
    """Our own errors and Pulumi's as their message, others with where they happened; "": nobody has to hear of it."""
    import grpc
    from pulumi.errors import RunError

    if isinstance(error, grpc.RpcError):
        gone = error.code() is grpc.StatusCode.UNAVAILABLE  # the engine is on its way out
        return "" if gone else f"The engine refused a call: {error.details()}"
    said = ours(error)
    if said is not None or isinstance(error, RunError):
        return str(said or error)
    if isinstance(error, SystemExit):
        return f"The program ended itself with exit code {error.code}." if error.code else ""
    return "The program failed:\n" + "".join(traceback.format_exception(error))


def ours(error: BaseException | None) -> UnderstudyError | None:
    """The first of our own errors that an error is, groups, or came from."""
    seen: set[int] = set()
    queue = [error]
    while queue:
        found = queue.pop(0)
        if found is None or id(found) in seen:
            continue
        if isinstance(found, UnderstudyError):
            return found
        seen.add(id(found))
        if isinstance(found, BaseExceptionGroup):
            queue.extend(found.exceptions)
        queue.extend((found.__cause__, found.__context__))
    return None
