"""Receipts stay when leases go, tell no lie of an environment that lives, and do not pile up."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest

from tests.unit.test_lease import a_lease
from understudy.cli import cli
from understudy.command_line import known_receipts
from understudy.errors import LeftoversError, UsageError
from understudy.lease import LeaseState, LeaseStore
from understudy.options import Options
from understudy.owner import this_process
from understudy.receipts import find, keep, kept
from understudy.receipts.command import ids, show
from understudy.targets.interface import Outcome, Owned, Receipt

WEB = Owned("container", "c0ffee", "eabc-web", {"dev.understudy.environment": "eabc"})


def a_receipt(outcome: Outcome = Outcome.CLEAN, *leftovers: Owned, environment: str = "eabc") -> Receipt:
    return Receipt(environment, "docker:X", outcome, "2026-01-01T00:30:00Z", leftovers, "", {"container": 12})


@pytest.fixture
def options(tmp_path: Path) -> Options:
    return Options(lease_dir=str(tmp_path / "leases"))


@pytest.fixture
def store(options: Options) -> LeaseStore:
    return LeaseStore.beside("", options.lease_dir)


def closed(store: LeaseStore, receipt: Receipt, **fields: object) -> None:
    lease = a_lease(**fields)
    store.create(lease)
    keep(store, receipt)
    store.close(lease)


def test_what_is_kept_is_found_with_what_the_lease_said(store: LeaseStore) -> None:
    closed(store, a_receipt(Outcome.LEFTOVERS, WEB), attempts=2)
    found = find(store, "eabc")
    assert found is not None
    assert found.receipt == a_receipt(Outcome.LEFTOVERS, WEB)
    assert (found.attempts, found.commit, found.stack) == (3, "0" * 40, "understudy/eabc")
    assert found.by == this_process("https://ci.example/1")
    assert store.list() == ((), ()), "a receipt is no lease"
    assert find(store, "eother") is None
    assert find(store, "../eabc") is None


def test_a_clean_one_is_shown_long_after(
    options: Options, store: LeaseStore, capsys: pytest.CaptureFixture[str]
) -> None:
    closed(store, a_receipt())
    assert show(options, "eabc", form="text") == 0
    text = capsys.readouterr().out
    for part in ("CLEAN", "docker:X", "2026-01-01T00:30:00Z", "12 containers", "0" * 40, "closed", "https://ci.ex"):
        assert part in text
    assert f"process {os.getpid()} of " in text
    assert show(options, "eabc", form="json") == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["outcome"], data["lease"], data["looked"]) == ("CLEAN", "closed", {"container": 12})
    assert (data["attempts"], data["by"]["pid"]) == (1, os.getpid())
    assert ids(options) == ("eabc",)


def test_a_shell_completes_what_has_a_receipt_and_what_is_there(
    options: Options, store: LeaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed(store, a_receipt())
    store.create(a_lease("eabd"))
    store.create(a_lease("eother"))
    monkeypatch.setenv("UNDERSTUDY_LEASE_DIR", options.lease_dir)
    context, parameter = click.Context(cli), cli.commands["receipt"].params[0]
    assert known_receipts(context, parameter, "eab") == ["eabd", "eabc"]


@pytest.mark.parametrize("outcome", [Outcome.LEFTOVERS, Outcome.UNKNOWN, Outcome.HOLD])
def test_any_other_outcome_is_no_proof(options: Options, store: LeaseStore, outcome: Outcome) -> None:
    closed(store, a_receipt(outcome))
    assert show(options, "eabc", form="json") == 4


def test_one_that_lives_is_not_proven_gone_by_an_earlier_receipt(
    options: Options, store: LeaseStore, capsys: pytest.CaptureFixture[str]
) -> None:
    store.create(a_lease(branch="main"))
    assert show(options, "main", form="text") == 4
    assert "none yet" in capsys.readouterr().out
    store.close(a_lease())
    closed(store, a_receipt())
    store.create(a_lease(state=LeaseState.KEPT, attempts=2, last_failure="no answer\x1b[31m"))
    assert show(options, "eabc", form="text") == 4
    text = capsys.readouterr().out
    assert "nothing is proven" in text
    assert "it failed 2 times" in text
    assert "\x1b" not in text
    assert show(options, "eabc", form="json") == 4


def test_what_nobody_knows_is_a_wrong_name(options: Options) -> None:
    for name in ("enone", "../etc/passwd", "no such branch"):
        with pytest.raises(UsageError, match="neither") as caught:
            show(options, name, form="text")
        assert caught.value.exit_code == 2
        assert "by its id" in caught.value.hint


def test_what_cannot_be_read_is_not_missing(options: Options, store: LeaseStore) -> None:
    closed(store, a_receipt())
    store.shelf.put("receipts/eabc.json", b"{")
    with pytest.raises(LeftoversError, match="not a receipt"):
        show(options, "eabc", form="text")
    store.shelf.put("ebroken.json", b"{")
    with pytest.raises(LeftoversError, match="not a lease"):
        show(options, "ebroken", form="text")


def test_old_ones_and_too_many_go(store: LeaseStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST", 3)
    now = datetime.now(UTC).timestamp()
    for number, days in ((1, 91), (2, 89), (3, 2), (4, 1)):
        keep(store, a_receipt(environment=f"e{number}"))
        path = tmp_path / "leases" / "receipts" / f"e{number}.json"
        os.utime(path, (now - days * 86400,) * 2)
    keep(store, a_receipt(environment="e5"))
    assert [number for number in range(1, 6) if find(store, f"e{number}")] == [3, 4, 5]
