"""The shop as the tests see it, and waiting with a limit."""

import http.client
import json
import os
import ssl
import time
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
import redis

Answer = tuple[int, Any]


def call(url: str, method: str, path: str, body: object = None) -> Answer:
    scheme, host = urlsplit(url)[:2]
    connection = http.client.HTTPConnection(host, timeout=30)
    if scheme == "https":
        trusted = ssl.create_default_context(cafile=os.environ["UNDERSTUDY_CA_FILE"])
        connection = http.client.HTTPSConnection(host, timeout=30, context=trusted)
    try:
        connection.request(method, path, json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, json.load(response)
    finally:
        connection.close()


class Shop:
    """The shop as a customer (get, post), an operator (db, queue) and the payment provider (charges) see it."""

    def __init__(self, db: psycopg.Connection[dict[str, Any]], queue: redis.Redis) -> None:
        self.db = db
        self.queue = queue

    def get(self, path: str) -> Answer:
        return call(os.environ["UNDERSTUDY_GATEWAY_80_URL"], "GET", path)

    def post(self, path: str, body: object) -> Answer:
        return call(os.environ["UNDERSTUDY_GATEWAY_80_URL"], "POST", path, body)

    def product(self, stock: int = 10, price_cents: int = 1250) -> str:
        """A product that no other test knows, written as version 1 of the catalog wrote it."""
        sku = f"test-{uuid.uuid4()}"
        self.db.execute(
            "INSERT INTO products (sku, name, price_cents, stock) VALUES (%s, 'Test', %s, %s)",
            [sku, price_cents, stock],
        )
        return sku

    def stock(self, sku: str) -> int:
        return self.get(f"/catalog/{sku}")[1]["stock"]

    def row(self, query: str, *values: object) -> dict[str, Any] | None:
        return self.db.execute(query, values).fetchone()

    def charges(self, order: str) -> list[dict[str, Any]]:
        """The requests for this order that the provider's stand-in (WireMock) has recorded."""
        asked = {"bodyPatterns": [{"matchesJsonPath": {"expression": "$.reference", "equalTo": order}}]}
        return self.payments("/__admin/requests/find", asked)[1]["requests"]

    def payments(self, path: str, body: object) -> Answer:
        return call(os.environ["UNDERSTUDY_PAYMENTS_443_URL"], "POST", path, body)

    def wait_for_status(self, order: str, status: str) -> dict[str, Any]:
        return eventually(lambda: self.get(f"/orders/{order}")[1], lambda answer: answer["status"] == status)


def eventually(look: Callable[[], Any], good: Callable[[Any], bool], limit: float = 20) -> Any:
    """Look until it is good, and return what was seen; fail with the last look after `limit` seconds."""
    end = time.monotonic() + limit
    while not good(seen := look()):
        if time.monotonic() > end:
            pytest.fail(f"not so within {limit:g} s; last seen: {seen}")
        time.sleep(0.05)
    return seen
