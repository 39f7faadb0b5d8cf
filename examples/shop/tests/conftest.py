"""The connections to the clone under test."""

import os
from collections.abc import Iterator

import psycopg
import pytest
import redis
from psycopg.rows import dict_row
from shop import Shop


@pytest.fixture(scope="session")
def shop() -> Iterator[Shop]:
    queue = redis.Redis(
        host=os.environ["UNDERSTUDY_QUEUE_6379_HOST"],
        port=int(os.environ["UNDERSTUDY_QUEUE_6379_PORT"]),
        decode_responses=True,
    )
    database = psycopg.connect(
        host=os.environ["UNDERSTUDY_DB_5432_HOST"],
        port=os.environ["UNDERSTUDY_DB_5432_PORT"],
        user="shop",
        dbname="shop",
        password=os.environ["UNDERSTUDY_SECRET_DB_PASSWORD"],
        autocommit=True,
        row_factory=dict_row,
    )
    with queue, database:
        shop = Shop(database, queue)
        # A JVM's first answer can take longer than orders waits for it.
        shop.payments("/v1/charges", {"reference": "first", "card": "tok-approved"})
        yield shop
