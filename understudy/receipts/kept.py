"""A kept receipt: one JSON document for each environment, what the last destroy of it came to; the oldest go."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from understudy.errors import UnderstudyError
from understudy.lease import Lease, LeaseStore, is_id
from understudy.owner import Owner, this_process
from understudy.stacks.identity import parse_time
from understudy.targets.interface import Outcome, Owned, Receipt

__all__ = ["KEPT_DAYS", "MOST", "KeptReceipt", "find", "keep", "known"]

KEPT_DAYS = 90.0
"""After so many days a receipt goes."""

MOST = 10_000
"""So many receipts stay at most; the oldest go first."""

_SCHEMA = 1
_FOLDER = "receipts"


@dataclass(frozen=True, slots=True)
class KeptReceipt:
    """A receipt, who destroyed the environment and the how-many-th attempt it was, and what its lease said of it."""

    receipt: Receipt
    by: Owner
    attempts: int = 1
    commit: str = ""
    branch: str = ""
    repository: str = ""
    stack: str = ""
    created: str = ""

    def data(self) -> dict[str, object]:
        """The receipt as JSON's kinds of data; an object's labels, which may hold what others wrote, stay out."""
        receipt = self.receipt
        return {
            "schema": _SCHEMA,
            "environment": receipt.environment,
            "outcome": str(receipt.outcome),
            "target": receipt.target,
            "taken_at": receipt.taken_at,
            "looked": dict(receipt.looked),
            "leftovers": [{"kind": each.kind, "id": each.id, "name": each.name} for each in receipt.leftovers],
            "reason": receipt.reason,
            "by": asdict(self.by),
            "attempts": self.attempts,
            "commit": self.commit,
            "branch": self.branch,
            "repository": self.repository,
            "stack": self.stack,
            "created": self.created,
        }

    @classmethod
    def from_json(cls, text: str) -> KeptReceipt:
        """A receipt from the text of its `data`.

        Raises:
            ValueError: the text is no kept receipt.
        """
        try:
            data = json.loads(text)
            if data.pop("schema") != _SCHEMA:
                raise ValueError("its schema is another one")  # noqa: TRY301 - joins the other reasons
            receipt = Receipt(
                data.pop("environment"),
                data.pop("target"),
                Outcome(data.pop("outcome")),
                data.pop("taken_at"),
                tuple(Owned(**each) for each in data.pop("leftovers")),
                data.pop("reason"),
                dict(data.pop("looked")),
            )
            parse_time(receipt.taken_at)
            return cls(receipt, Owner(**data.pop("by")), **data)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"not a receipt: {error}") from error


def keep(store: LeaseStore, receipt: Receipt, lease: Lease | None = None) -> KeptReceipt:
    """Keep a receipt in the place of an earlier one of its environment, and let those go that are past their time.

    Args:
        store: beside whose leases it is kept.
        receipt: the proof.
        lease: the environment's; by default the one that the store still has.

    Raises:
        UnderstudyError: it cannot be written.
    """
    lease = store.find(receipt.environment) if lease is None else lease
    kept = KeptReceipt(receipt, this_process())
    if lease is not None:
        kept = KeptReceipt(
            receipt,
            this_process(lease.owner.ci_url),
            lease.attempts + 1,
            lease.commit,
            lease.branch,
            lease.repository,
            f"{lease.project}/{lease.stack}",
            lease.created,
        )
    data = json.dumps(kept.data(), indent=1, sort_keys=True) + "\n"
    store.shelf.put(f"{_FOLDER}/{receipt.environment}.json", data.encode())
    for name in _past(store.shelf.changed(_FOLDER), time.time()):
        store.shelf.remove(name)
    return kept


def find(store: LeaseStore, environment: str) -> KeptReceipt | None:
    """The last receipt of an environment, None where there is none.

    Raises:
        UnderstudyError: it cannot be read.
    """
    name = f"{_FOLDER}/{environment}.json"
    data = store.shelf.read(name) if is_id(environment) else None
    if data is None:
        return None
    try:
        return KeptReceipt.from_json(data.decode())
    except ValueError as error:
        raise UnderstudyError(f"Read the receipt {store.shelf.place(name)}, and it failed: {error}.") from error


def known(store: LeaseStore) -> tuple[str, ...]:
    """The ids of all environments of which a receipt is kept.

    Raises:
        UnderstudyError: they cannot be listed.
    """
    return tuple(sorted(Path(name).stem for name in store.shelf.changed(_FOLDER)))


def _past(changed: Mapping[str, float], now: float) -> list[str]:
    """Those that are too old, and the oldest that are too many."""
    newest = sorted(changed, key=lambda name: changed[name], reverse=True)
    return [name for number, name in enumerate(newest) if number >= MOST or now - changed[name] > KEPT_DAYS * 86400]
