"""Orders: reserve the stock, charge the card, hand the order to the worker."""

import http.client
import json
import logging
import os
import signal
import sys
import uuid
from typing import Any
from urllib.parse import urlsplit

import bottle
import psycopg
import redis
import waitress
from psycopg.rows import dict_row

CATALOG = "http://" + os.environ["CATALOG_HOST"]
PAYMENTS = os.environ["PAYMENTS_URL"]
PAYMENTS_TIMEOUT = float(os.environ["PAYMENTS_TIMEOUT"])
ANSWERS = {"paid": 201, "declined": 402, "payment_pending": 504}

app = bottle.Bottle()
log = logging.getLogger("orders")
queue = redis.Redis.from_url(os.environ["QUEUE_URL"])


def connect() -> psycopg.Connection[dict[str, Any]]:
    return psycopg.connect(row_factory=dict_row)


def refuse(status: int, error: str) -> bottle.HTTPResponse:
    return bottle.HTTPResponse(json.dumps({"error": error}), status, {"Content-Type": "application/json"})


def call(url: str, method: str, path: str, body: object = None, timeout: float = 15) -> tuple[int, Any]:
    """What the server at the URL answers. One that speaks HTTPS is verified, by what OpenSSL trusts here."""
    scheme, host = urlsplit(url)[:2]
    kind = http.client.HTTPSConnection if scheme == "https" else http.client.HTTPConnection
    connection = kind(host, timeout=timeout)
    try:
        connection.request(method, path, json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, json.load(response)
    finally:
        connection.close()


def broken(error: bottle.HTTPError) -> str:
    bottle.response.content_type = "application/json"
    return json.dumps({"error": error.body})


app.default_error_handler = broken


@app.get("/health")
def health() -> dict[str, str]:
    return {"status": "ok"}


@app.post("/orders")
def place() -> dict[str, Any]:
    items, card = read(bottle.request.json)
    order = str(uuid.uuid4())
    answer, reserved = call(CATALOG, "PUT", f"/reservations/{order}", {"items": items})
    if answer != ANSWERS["paid"]:
        raise refuse(answer, reserved["error"])
    total = sum(item["price_cents"] * item["quantity"] for item in reserved["items"])
    save(order, total, reserved["items"])
    status, charge = pay(order, total, card)
    if status != "paid":
        call(CATALOG, "DELETE", f"/reservations/{order}")
    with connect() as db:
        db.execute("UPDATE orders SET status = %s, charge = %s WHERE id = %s", [status, charge, order])
    if status == "paid":
        queue.lpush("orders", order)
    log.info("order %s: %s, %d cents", order, status, total)
    bottle.response.status = ANSWERS[status]
    return one_order(order) | {"status": status}


def read(body: Any) -> tuple[list[dict[str, Any]], str]:
    """The items and the card. An order of version 1 has one `sku` and `quantity` instead of `items`."""
    try:
        items = body["items"] if "items" in body else [{"sku": body["sku"], "quantity": body["quantity"]}]
        quantities = {str(item["sku"]): int(item["quantity"]) for item in items}
        if len(quantities) == len(items) > 0 and min(quantities.values()) > 0:
            return [{"sku": sku, "quantity": quantity} for sku, quantity in quantities.items()], body["card"]
    except (KeyError, TypeError, ValueError):
        pass
    raise refuse(400, "an order has items, each with its own sku and a quantity, and a card")


def save(order: str, total: int, items: list[dict[str, Any]]) -> None:
    with connect() as db:
        db.execute("INSERT INTO orders (id, total_cents) VALUES (%s, %s)", [order, total])
        db.cursor().executemany(
            "INSERT INTO order_items VALUES (%s, %s, %s, %s)",
            [[order, item["sku"], item["quantity"], item["price_cents"]] for item in items],
        )


def pay(order: str, total: int, card: str) -> tuple[str, str | None]:
    """The new status and the charge. Without an answer in time the outcome is unknown: the order stays pending."""
    charge = {"reference": order, "amount_cents": total, "currency": "EUR", "card": card}
    try:
        status, answer = call(PAYMENTS, "POST", "/v1/charges", charge, PAYMENTS_TIMEOUT)
    except (OSError, ValueError) as error:
        log.warning("order %s: no answer from %s: %r", order, PAYMENTS, error)
        return "payment_pending", None
    return ("paid", answer["id"]) if status == ANSWERS["paid"] else ("declined", None)


@app.get("/orders/<order>")
def one_order(order: str) -> dict[str, Any]:
    """Version 1 had `id`, `status`, `sku`, `quantity` and `total`; they stay, for the first item."""
    with connect() as db:
        row = db.execute("SELECT * FROM orders WHERE id::text = %s", [order]).fetchone()
        items = db.execute(
            "SELECT sku, quantity, price_cents FROM order_items WHERE order_id::text = %s ORDER BY sku", [order]
        ).fetchall()
    if row is None:
        raise refuse(404, f"no order {order}")
    return {
        "version": 2,
        "id": order,
        "status": row["status"],
        "sku": items[0]["sku"],
        "quantity": items[0]["quantity"],
        "total": row["total_cents"] / 100,
        "items": items,
        "total_cents": row["total_cents"],
        "currency": row["currency"],
    }


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    waitress.serve(app, host="0.0.0.0", port=8000, threads=8)  # noqa: S104 - the container's networks
