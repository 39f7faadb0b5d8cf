"""Clients of version 1 are out there for years: what they send is understood, what they read is still there."""

import pytest
from shop import Shop

PRODUCT_V1 = {"sku": str, "name": str, "price": float, "in_stock": bool}
ORDER_V1 = {"id": str, "status": str, "sku": str, "quantity": int, "total": float}


def types_of(answer: dict[str, object], fields: dict[str, type]) -> dict[str, type]:
    return {field: type(answer.get(field)) for field in fields}


def test_a_product_of_version_1_is_read_as_before(shop: Shop) -> None:
    sku = shop.product(stock=0, price_cents=1250)

    status, product = shop.get(f"/catalog/{sku}")

    assert status == 200
    assert types_of(product, PRODUCT_V1) == PRODUCT_V1
    assert (product["price"], product["in_stock"]) == (12.5, False)


def test_the_list_holds_products_of_version_1(shop: Shop) -> None:
    _, answer = shop.get("/catalog")

    by_sku = {product["sku"]: product for product in answer["products"]}
    assert types_of(by_sku["teapot"], PRODUCT_V1) == PRODUCT_V1


def test_an_order_of_version_1_is_taken_and_answered_as_before(shop: Shop) -> None:
    sku = shop.product(price_cents=1250)

    status, order = shop.post("/orders", {"sku": sku, "quantity": 2, "card": "tok-approved"})

    assert status == 201
    assert types_of(order, ORDER_V1) == ORDER_V1
    assert (order["sku"], order["quantity"], order["total"]) == (sku, 2, 25.0)


@pytest.mark.parametrize("order", [{}, {"items": []}, {"items": [{"sku": "teapot", "quantity": 0}]}, [1]])
def test_what_is_no_order_is_refused(shop: Shop, order: object) -> None:
    status, answer = shop.post("/orders", order)

    assert status == 400
    assert "items" in answer["error"]
