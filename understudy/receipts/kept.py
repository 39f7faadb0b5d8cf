"""A kept receipt: one JSON document for each environment, what the last destroy of it came to; the oldest go."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from understudy.errors import NotFoundError, UnderstudyError
from understudy.lease import Lease, LeaseStore, is_id
from understudy.owner import Owner, this_process
from understudy.stacks.identity import parse_time
from understudy.targets.interface import Outcome, Owned, Receipt

__all__ = ["KEPT_DAYS", "MOST", "KeptReceipt", "find", "keep"]

KEPT_DAYS = 90.0
"""After so many days a receipt goes."""

MOST = 10_000
"""So many receipts stay at most; the oldest go first."""


@dataclass(frozen=True, slots=True)
class KeptReceipt:
    """A receipt, what the lease said of its environment, who destroyed that, and the how-many-th attempt it was."""

    receipt: Receipt
    by: Owner
    attempts: int = 1
    commit: str = ""
    branch: str = ""
    repository: str = ""
    stack: str = ""
    created: str = ""

    def to_json(self) -> str:
        """The document."""
        return json.dumps({"schema": 1, **asdict(self)}, indent=1, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> KeptReceipt:
        """The reverse of `to_json`.

        Raises:
            ValueError: the text is no kept receipt.
        """
        try:
            data = json.loads(text)
            if data.pop("schema") != 1:
                raise ValueError("its schema is another one")  # noqa: TRY301 - joins the other reasons
            inner = data.pop("receipt")
            leftovers = tuple(Owned(**each) for each in inner.pop("leftovers"))
            receipt = Receipt(**{**inner, "outcome": Outcome(inner["outcome"]), "leftovers": leftovers})
            parse_time(receipt.taken_at)
            return cls(**{**data, "receipt": receipt, "by": Owner(**data["by"])})
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
    store.shelf.put(_name(receipt.environment), kept.to_json().encode())
    for name in _past(store.shelf.changed(_FOLDER), time.time()):
        store.shelf.remove(name)
    return kept


def find(store: LeaseStore, environment: str) -> KeptReceipt | None:
    """The last receipt of an environment, None where there is none.

    Raises:
        UnderstudyError: it cannot be read.
    """
    try:
        name = _name(environment)
    except NotFoundError:
        return None
    data = store.shelf.read(name)
    if data is None:
        return None
    try:
        return KeptReceipt.from_json(data.decode())
    except ValueError as error:
        raise UnderstudyError(f"Read the receipt {store.shelf.place(name)}, and it failed: {error}.") from error


_FOLDER = "receipts"


def _name(environment: str) -> str:
    if not is_id(environment):
        raise NotFoundError(f"There is no environment {environment!r} on this backend.")
    return f"{_FOLDER}/{environment}.json"


def _past(changed: Mapping[str, float], now: float) -> list[str]:
    """Those that are too old, and the oldest that are too many."""
    newest = sorted(changed, key=lambda name: changed[name], reverse=True)
    return [name for number, name in enumerate(newest) if number >= MOST or now - changed[name] > KEPT_DAYS * 86400]
