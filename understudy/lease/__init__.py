"""The lease: the record that exists before the first resource and is closed only after a clean receipt."""

from __future__ import annotations

from understudy.lease.folder import FolderShelf
from understudy.lease.record import HEARTBEAT_LOST, BusyError, Lease, LeaseExistsError, LeaseState, is_id
from understudy.lease.rule import ends, over
from understudy.lease.shelf import Document
from understudy.lease.store import LeaseStore

__all__ = [
    "HEARTBEAT_LOST",
    "BusyError",
    "Document",
    "FolderShelf",
    "Lease",
    "LeaseExistsError",
    "LeaseState",
    "LeaseStore",
    "ends",
    "is_id",
    "over",
]
