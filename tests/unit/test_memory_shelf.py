"""The shelf in memory of the reaper's tests keeps what real ones promise to threads: a heartbeat revives nothing."""

from __future__ import annotations

import threading

from reap_world import World, lease

from understudy.lease import Lease


def test_a_change_that_is_under_way_does_not_bring_back_what_is_closed_meanwhile() -> None:
    store, held = World().store, lease("e1")
    store.create(held)
    closer = threading.Thread(target=store.close, args=(held,))

    def look(_now: Lease) -> None:
        closer.start()
        closer.join(0.2)  # one that has to wait is not done by then

    store.update(held, check=look)
    closer.join()
    assert store.find("e1") is None
