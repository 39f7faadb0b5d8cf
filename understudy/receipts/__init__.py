"""Receipts, kept: the last proof of each environment stays beside the leases after its own is closed."""

from __future__ import annotations

from understudy.receipts.kept import KeptReceipt, find, keep

__all__ = ["KeptReceipt", "find", "keep"]
