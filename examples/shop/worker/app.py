"""The worker: confirms the orders that were paid, and counts what sells."""

import logging
import os
import signal
import sys
from pathlib import Path

import psycopg
import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

ALIVE = Path("/tmp/alive")  # noqa: S108 - the health check looks at it
log = logging.getLogger("worker")


def confirm(order: str, queue: redis.Redis) -> None:
    """Confirm a paid order; one that was confirmed before is left as it is."""
    with psycopg.connect() as db:
        paid = db.execute(
            "UPDATE orders SET status = 'confirmed', confirmed_at = now() WHERE id = %s AND status = 'paid'",
            [order],
        ).rowcount
        items = db.execute("SELECT sku, quantity FROM order_items WHERE order_id = %s", [order]).fetchall()
    for sku, quantity in items if paid else ():
        queue.zincrby("bestsellers", quantity, sku)
    log.info("order %s: %s", order, "confirmed" if paid else "nothing to do")


def main() -> None:
    queue = redis.Redis.from_url(
        os.environ["QUEUE_URL"], decode_responses=True, retry=Retry(ExponentialBackoff(cap=1, base=0.1), 10)
    )
    while queue.lmove("orders:working", "orders", "LEFT", "RIGHT"):
        log.info("taking up again what was left")
    while True:
        ALIVE.touch()
        if order := queue.blmove("orders", "orders:working", 2, "RIGHT", "LEFT"):
            confirm(order, queue)
            queue.lrem("orders:working", 1, order)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    main()
