"""The catalog: products, and the stock that orders reserve. PGHOST and its like say where the database is."""

import json
import logging
import signal
import sys
from typing import Any

import bottle
import psycopg
import waitress
from psycopg.rows import dict_row

app = bottle.Bottle()
log = logging.getLogger("catalog")


def connect() -> psycopg.Connection[dict[str, Any]]:
    return psycopg.connect(row_factory=dict_row)


def refuse(status: int, error: str) -> bottle.HTTPResponse:
    return bottle.HTTPResponse(json.dumps({"error": error}), status, {"Content-Type": "application/json"})


def product(row: dict[str, Any]) -> dict[str, Any]:
    """Version 1 had `sku`, `name`, `price` and `in_stock`; they stay."""
    return {
        "version": 2,
        "sku": row["sku"],
        "name": row["name"],
        "price": row["price_cents"] / 100,
        "in_stock": row["stock"] > 0,
        "price_cents": row["price_cents"],
        "currency": row["currency"],
        "stock": row["stock"],
    }


def broken(error: bottle.HTTPError) -> str:
    bottle.response.content_type = "application/json"
    return json.dumps({"error": error.body})


app.default_error_handler = broken


@app.get("/health")
def health() -> dict[str, str]:
    return {"status": "ok"}


@app.get("/catalog")
def products() -> dict[str, Any]:
    with connect() as db:
        rows = db.execute("SELECT * FROM products ORDER BY sku").fetchall()
    return {"version": 2, "products": [product(row) for row in rows]}


@app.get("/catalog/<sku>")
def one_product(sku: str) -> dict[str, Any]:
    with connect() as db:
        row = db.execute("SELECT * FROM products WHERE sku = %s", [sku]).fetchone()
    if row is None:
        raise refuse(404, f"no product {sku}")
    return product(row)


@app.put("/reservations/<order>")
def reserve(order: str) -> dict[str, Any]:
    """Take all items out of the stock, or none of them; in the order of their SKUs, against deadlocks."""
    wanted = sorted(bottle.request.json["items"], key=lambda item: item["sku"])
    with connect() as db:
        items = [take(db, order, item["sku"], item["quantity"]) for item in wanted]
    log.info("order %s: reserved %s", order, items)
    bottle.response.status = 201
    return {"items": items}


def take(db: psycopg.Connection[dict[str, Any]], order: str, sku: str, quantity: int) -> dict[str, Any]:
    row = db.execute(
        "UPDATE products SET stock = stock - %(n)s WHERE sku = %(sku)s AND stock >= %(n)s "
        "RETURNING sku, price_cents, currency",
        {"n": quantity, "sku": sku},
    ).fetchone()
    if row is None:
        raise refuse(409, f"not enough of {sku}")
    db.execute("INSERT INTO reservations VALUES (%s, %s, %s)", [order, sku, quantity])
    return {**row, "quantity": quantity}


@app.delete("/reservations/<order>")
def release(order: str) -> dict[str, Any]:
    with connect() as db:
        db.execute(
            "WITH gone AS (DELETE FROM reservations WHERE order_id = %s RETURNING sku, quantity) "
            "UPDATE products SET stock = stock + gone.quantity FROM gone WHERE products.sku = gone.sku",
            [order],
        )
    log.info("order %s: released", order)
    return {}


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    waitress.serve(app, host="0.0.0.0", port=8000, threads=8)  # noqa: S104 - the container's networks
