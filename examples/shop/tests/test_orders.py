"""An order on its way through all services, and what it leaves in the stores."""

from concurrent.futures import ThreadPoolExecutor

from shop import Shop, eventually


def test_an_order_is_paid_reserved_and_confirmed(shop: Shop) -> None:
    sku = shop.product(stock=10, price_cents=1250)

    status, order = shop.post("/orders", {"items": [{"sku": sku, "quantity": 3}], "card": "tok-approved"})

    assert status == 201
    assert order["status"] == "paid"
    assert order["total_cents"] == 3750
    assert shop.stock(sku) == 7
    assert shop.wait_for_status(order["id"], "confirmed")["items"] == [{"sku": sku, "quantity": 3, "price_cents": 1250}]


def test_an_order_of_several_products_has_one_total_and_one_charge(shop: Shop) -> None:
    cheap, dear = shop.product(price_cents=99), shop.product(price_cents=10_000)
    items = [{"sku": cheap, "quantity": 4}, {"sku": dear, "quantity": 2}]

    status, order = shop.post("/orders", {"items": items, "card": "tok-approved"})

    assert (status, order["total_cents"]) == (201, 20_396)
    assert len(shop.charges(order["id"])) == 1


def test_postgresql_holds_the_order_the_charge_and_the_reservation(shop: Shop) -> None:
    sku = shop.product(stock=5)
    _, order = shop.post("/orders", {"items": [{"sku": sku, "quantity": 2}], "card": "tok-approved"})
    shop.wait_for_status(order["id"], "confirmed")

    row = shop.row("SELECT *, confirmed_at <= now() AS in_the_past FROM orders WHERE id = %s", order["id"])
    assert row is not None
    assert (row["charge"], row["in_the_past"]) == (f"charge-{order['id']}", True)
    reserved = shop.row("SELECT sku, quantity FROM reservations WHERE order_id = %s", order["id"])
    assert reserved == {"sku": sku, "quantity": 2}


def test_redis_lets_go_of_a_confirmed_order_and_counts_what_was_sold(shop: Shop) -> None:
    sku = shop.product()
    _, order = shop.post("/orders", {"items": [{"sku": sku, "quantity": 4}], "card": "tok-approved"})

    eventually(lambda: shop.queue.zscore("bestsellers", sku), lambda sold: sold == 4)
    for name in ("orders", "orders:working"):
        eventually(lambda name=name: shop.queue.lrange(name, 0, -1), lambda ids: order["id"] not in ids)


def test_the_last_one_is_sold_once(shop: Shop) -> None:
    sku = shop.product(stock=1)
    order = {"items": [{"sku": sku, "quantity": 1}], "card": "tok-approved"}

    with ThreadPoolExecutor(4) as customers:
        answers = list(customers.map(lambda _: shop.post("/orders", order), range(4)))

    assert sorted(status for status, _ in answers) == [201, 409, 409, 409]
    assert shop.stock(sku) == 0


def test_an_order_that_cannot_be_filled_leaves_no_trace(shop: Shop) -> None:
    plenty, few = shop.product(stock=10), shop.product(stock=1)
    items = [{"sku": plenty, "quantity": 1}, {"sku": few, "quantity": 2}]

    status, answer = shop.post("/orders", {"items": items, "card": "tok-approved"})

    assert (status, answer) == (409, {"error": f"not enough of {few}"})
    assert (shop.stock(plenty), shop.stock(few)) == (10, 1)
    assert shop.row("SELECT * FROM order_items WHERE sku = %s", plenty) is None
