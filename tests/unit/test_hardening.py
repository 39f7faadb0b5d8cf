"""What every container of a clone is denied, and that it stands on the record."""

from __future__ import annotations

import pytest

from understudy.stacks.change import Fidelity
from understudy.stacks.clone import Clone
from understudy.stacks.hardening import CPU_LIMIT, MEMORY_LIMIT, NO_NEW_PRIVILEGES, PIDS_LIMIT, Hardening, harden
from understudy.stacks.topology import Resources, Service, Topology

HARD = Hardening(PIDS_LIMIT, MEMORY_LIMIT, CPU_LIMIT, no_new_privileges=True)


def hardened(service: Service, given: Hardening = HARD) -> Clone:
    return harden(Clone(Topology("t", {"web": service})), given)


def test_what_production_does_not_limit_is_limited_and_told() -> None:
    clone = hardened(Service("web", image="x"))
    web = clone.topology.services["web"]
    assert web.resources == Resources(cpus=4.0, memory=4 << 30, pids=4096)
    assert web.security_opt == (NO_NEW_PRIVILEGES,)
    assert [(c.path, c.production, c.clone, c.fidelity) for c in clone.changes] == [
        ("services.web.resources.pids", None, "4096", Fidelity.SCALED),
        ("services.web.resources.memory", None, str(4 << 30), Fidelity.SCALED),
        ("services.web.resources.cpus", None, "4", Fidelity.SCALED),
        ("services.web.security_opt", None, f'["{NO_NEW_PRIVILEGES}"]', Fidelity.SCALED),
    ]


def test_what_production_declares_stays_and_is_no_difference() -> None:
    limits = Resources(cpus=0.5, memory=64 << 20, pids=10)
    for option in ("no-new-privileges", "no-new-privileges:true", "no-new-privileges=false"):
        clone = hardened(Service("web", image="x", resources=limits, security_opt=(option,)))
        assert clone.topology.services["web"].resources == limits
        assert clone.topology.services["web"].security_opt == (option,)
        assert clone.changes == ()


@pytest.mark.parametrize(
    ("own", "memory"),
    [
        (Resources(memory_reservation=8 << 30), 8 << 30),  # Docker refuses a limit below what is reserved
        (Resources(memory_swap=1 << 30), 1 << 30),  # and swap, which counts the memory too, below the limit
        (Resources(memory_swap=-1), 4 << 30),
    ],
)
def test_a_limit_fits_what_stands_beside_it(own: Resources, memory: int) -> None:
    assert hardened(Service("web", image="x", resources=own)).topology.services["web"].resources.memory == memory


def test_a_target_without_such_limits_gets_none() -> None:
    clone = hardened(Service("web", image="x"), Hardening())
    assert clone.topology.services["web"] == Service("web", image="x")
    assert clone.changes == ()
