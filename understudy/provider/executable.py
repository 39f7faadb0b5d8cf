"""The provider as an executable: prints its port, serves, and ends quietly on SIGINT or with its parent."""

from __future__ import annotations

import os
import signal
import sys
import threading

__all__ = ["main"]


def main() -> int:
    """Serve until SIGINT, SIGTERM or the parent's end, as the engine expects of a plugin (sdk v3.200.0, plugin.go).

    The engine's address is the last argument and comes again with the handshake; log flags before it are not
    needed. What goes to stdout after the port is shown to nobody.
    """
    parent, done = os.getppid(), threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: done.set())
    from understudy.errors import UnderstudyError

    from .parent import wait_beside
    from .server import ProviderServer

    try:
        with ProviderServer() as server:
            sys.stdout.write(f"{server.port}\n")
            sys.stdout.flush()
            wait_beside(parent, done)
    except UnderstudyError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
