"""What an environment on AWS is declared with, read on a thread of its own while a command waits for the engine."""

from __future__ import annotations

import importlib
import threading
from contextlib import suppress
from functools import cache

__all__ = ["PARTS", "read_ahead"]

PARTS = ("cloudwatch", "ec2", "ecs", "iam", "lb", "s3", "secretsmanager", "servicediscovery", "sqs", "vpc")
"""The parts of pulumi_aws that every environment may need; each is read as a whole, 0.9 s of a processor in all."""


@cache
def read_ahead() -> threading.Thread:
    """Begin to read them, once for a process; whoever declares an environment joins the thread first.

    Pulumi's loader reads each at its first use, without a lock: two threads must not come to that at once.
    """
    thread = threading.Thread(target=_read, name="read-ahead", daemon=True)
    thread.start()
    return thread


def _read() -> None:
    with suppress(ImportError):  # where the extra is not installed, the declaration says so
        importlib.import_module("understudy.components.aws.environment")
        import pulumi_aws as aws

        for part in PARTS:
            hasattr(getattr(aws, part), "_utilities")  # any name that is not the module's own
