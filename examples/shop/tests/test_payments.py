"""The payment provider, a third party: what it is asked, and what happens when it says no, or nothing."""

from shop import Shop


def test_the_provider_is_asked_under_its_own_name(shop: Shop) -> None:
    sku = shop.product(price_cents=1999)
    _, order = shop.post("/orders", {"items": [{"sku": sku, "quantity": 1}], "card": "tok-approved"})

    (charge,) = shop.charges(order["id"])

    assert charge["absoluteUrl"] == "https://api.payments.example/v1/charges"
    assert '"amount_cents": 1999' in charge["body"]


def test_a_declined_card_releases_the_stock(shop: Shop) -> None:
    sku = shop.product(stock=3)

    status, order = shop.post("/orders", {"items": [{"sku": sku, "quantity": 2}], "card": "tok-declined"})

    assert (status, order["status"]) == (402, "declined")
    assert shop.get(f"/orders/{order['id']}")[1]["status"] == "declined"
    assert shop.stock(sku) == 3
    assert shop.queue.zscore("bestsellers", sku) is None


def test_a_provider_that_does_not_answer_leaves_the_order_pending(shop: Shop) -> None:
    sku = shop.product(stock=3)

    status, order = shop.post("/orders", {"items": [{"sku": sku, "quantity": 2}], "card": "tok-slow"})

    assert (status, order["status"]) == (504, "payment_pending")
    assert shop.stock(sku) == 3
    assert shop.row("SELECT status, charge FROM orders WHERE id = %s", order["id"]) == {
        "status": "payment_pending",
        "charge": None,
    }
    assert shop.row("SELECT * FROM reservations WHERE order_id = %s", order["id"]) is None
