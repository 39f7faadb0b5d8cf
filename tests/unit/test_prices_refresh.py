"""Refreshing prices: what AWS's price list answers becomes a table, page by page, and what it refuses is said."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from understudy.errors import ToolError, UsageError
from understudy.prices.catalogue import QUERIES
from understudy.prices.command import refresh
from understudy.prices.refresh import ask
from understudy.prices.shelf import find, keep
from understudy.stacks.cost.table import Price, PriceTable, Source
from understudy.targets.aws.session import AwsSession

OLD = PriceTable(
    region="eu-west-1",
    currency="USD",
    dated="2030-01-02",
    sources={"page": Source("a page", "https://prices.example/nat", "2030-01")},
    prices={"nat": Price(9.0, "hour", ("page",))},
)


def product(usage: str, dollars: str, unit: str = "Hrs", /, *, begin: str = "0", **attributes: str) -> str:
    """A product as GetProducts gives it (AWS Price List API Reference): a JSON text."""
    dimension = {
        "unit": unit,
        "beginRange": begin,
        "endRange": "Inf",
        "description": f"${dollars} per unit",
        "appliesTo": [],
        "rateCode": "SKU.JRTCKXETXF.6YS6EN2CT7",
        "pricePerUnit": {"USD": dollars},
    }
    term = {"sku": "SKU", "effectiveDate": "2030-03-01T00:00:00Z", "offerTermCode": "JRTCKXETXF", "termAttributes": {}}
    return json.dumps(
        {
            "product": {"sku": "SKU", "attributes": {"usagetype": usage, "regionCode": "eu-west-1", **attributes}},
            "serviceCode": "any",
            "terms": {
                "OnDemand": {"SKU.JRTCKXETXF": {**term, "priceDimensions": {"SKU.JRTCKXETXF.6YS6EN2CT7": dimension}}}
            },
            "version": "20300304120000",
            "publicationDate": "2030-03-04T12:00:00Z",
        }
    )


def database(usage: str, dollars: str, engine: str = "PostgreSQL", deployment: str = "Single-AZ") -> str:
    size = usage.rpartition(":")[2]
    return product(usage, dollars, databaseEngine=engine, deploymentOption=deployment, instanceType=size)


ANSWERS: dict[str, list[str]] = {
    "Fargate vCPU": [
        product("EU-Fargate-vCPU-Hours:perCPU", "0.0404800000", "hours"),
        product("EU-Fargate-Windows-vCPU-Hours:perCPU", "0.0900000000", "hours"),
    ],
    "Fargate memory": [product("EU-Fargate-GB-Hours", "0.0044450000", "hours")],
    "Fargate vCPU on ARM": [product("EU-Fargate-ARM-vCPU-Hours:perCPU", "0.0323800000", "hours")],
    "Fargate memory on ARM": [product("EU-Fargate-ARM-GB-Hours", "0.0035600000", "hours")],
    "Fargate disk": [product("EU-Fargate-EphemeralStorage-GB-Hours", "0.0001220000", "GB-Hours")],
    "public IPv4 addresses": [
        product("EU-PublicIPv4:InUseAddress", "0.0050000000"),
        product("EU-PublicIPv4:IdleAddress", "0.0060000000"),
    ],
    "NAT gateways": [
        product("EU-NatGateway-Hours", "0.0480000000"),
        product("EU-NatGateway-Bytes", "0.0480000000", "GB"),
    ],
    "application load balancers": [
        product("EU-LoadBalancerUsage", "0.0252000000"),
        product("EU-TS-LoadBalancerUsage", "0.0056000000"),
        product("TS-LoadBalancerUsage", "0.0056000000"),
    ],
    "network load balancers": [],
    "databases": [
        database("EU-InstanceUsage:db.t4g.micro", "0.0170000000"),
        database("EU-Multi-AZUsage:db.t4g.micro", "0.0340000000", deployment="Multi-AZ"),
        database("EU-InstanceUsage:db.r6g.large", "0.2900000000", "Aurora PostgreSQL"),
        database("EU-InstanceUsageIOOptimized:db.r6g.large", "0.3770000000", "Aurora PostgreSQL"),
        database("EU-InstanceUsage:db.m5.large", "0.4000000000", "Oracle"),
        database("EU-InstanceUsage:db.odd", "0.1000000000"),
        database("EU-InstanceUsage:db.odd", "0.2000000000"),
        database("EU-InstanceUsage:db.free", "0.0000000000"),
    ],
    "database storage": [
        product("EU-RDS:GP3-Storage", "0.1270000000", "GB-Mo", databaseEngine="Any"),
        product("EU-RDS:Multi-AZ-GP3-Storage", "0.2540000000", "GB-Mo", databaseEngine="Any"),
        product("EU-RDS:GP2-Storage", "0.1270000000", "GB-Mo"),
        product("EU-RDS:GP2-Storage", "0.9000000000", "GB-Mo", databaseEngine="Oracle"),
    ],
    "cache nodes": [
        product("EU-NodeUsage:cache.t4g.micro", "0.0170000000", cacheEngine="Redis", instanceType="cache.t4g.micro"),
        product("EU-NodeUsage:cache.t4g.micro", "0.0136000000", cacheEngine="Valkey", instanceType="cache.t4g.micro"),
        product("EU-ExtendedSupport:Yr1", "0.5000000000", cacheEngine="Redis", instanceType="cache.t4g.micro"),
    ],
    "secrets": [product("EU-AWSSecretsManager-Secrets", "0.4000000000", "Secrets")],
}
"""What -> the price list's products, one page each."""

PRICES = {
    "elasticache/redis/cache.t4g.micro": (0.017, "hour"),
    "elasticache/valkey/cache.t4g.micro": (0.0136, "hour"),
    "fargate/disk": (0.000122, "GB-hour"),
    "fargate/memory/arm64": (0.00356, "GB-hour"),
    "fargate/memory/x86_64": (0.004445, "GB-hour"),
    "fargate/vcpu/arm64": (0.03238, "vCPU-hour"),
    "fargate/vcpu/x86_64": (0.04048, "vCPU-hour"),
    "ipv4": (0.005, "address-hour"),
    "lb/application": (0.0252, "hour"),
    "nat": (0.048, "hour"),
    "rds/aurora-postgresql/db.r6g.large/single": (0.29, "hour"),
    "rds/postgres/db.t4g.micro/multi": (0.034, "hour"),
    "rds/postgres/db.t4g.micro/single": (0.017, "hour"),
    "rds/storage/gp2/single": (0.127, "GB-month"),
    "rds/storage/gp3/multi": (0.254, "GB-month"),
    "rds/storage/gp3/single": (0.127, "GB-month"),
    "secret": (0.4, "secret-month"),
}


@pytest.fixture
def client() -> Any:
    given = {"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "nothing"}
    return boto3.client("pricing", region_name="us-east-1", **given)


@pytest.fixture
def stub(client: Any) -> Iterator[Stubber]:
    with Stubber(client) as made:
        yield made


def expected(query: Any, token: str = "") -> dict[str, Any]:
    wanted = {"regionCode": "eu-west-1", **query.filters}
    return {
        "ServiceCode": query.service,
        "Filters": [{"Type": "TERM_MATCH", "Field": key, "Value": value} for key, value in wanted.items()],
        "FormatVersion": "aws_v1",
        "MaxResults": 100,
        **({"NextToken": token} if token else {}),
    }


def answer(stub: Stubber) -> None:
    """Every question's answer, that about databases in pages of three."""
    for query in QUERIES:
        found = ANSWERS[query.what]
        pages = [found[at : at + 3] for at in range(0, len(found), 3)] or [[]]
        for number, page in enumerate(pages):
            more = {"NextToken": f"page{number + 1}"} if number + 1 < len(pages) else {}
            asked = expected(query, f"page{number}" if number else "")
            stub.add_response("get_products", {"FormatVersion": "aws_v1", "PriceList": page, **more}, asked)


def test_the_price_list_s_answers_become_a_table_page_by_page(client: Any, stub: Stubber) -> None:
    answer(stub)
    said: list[str] = []
    table = ask(client, "eu-west-1", said.append).hold("the answers")
    stub.assert_no_pending_responses()
    assert {name: (price.rate, price.unit) for name, price in table.prices.items()} == PRICES
    assert (table.region, table.currency) == ("eu-west-1", "USD")
    assert {source.dated for source in table.sources.values()} == {"2030-03-04"}
    assert table.prices["nat"].sources == ("AmazonEC2",)
    assert "GetProducts of AmazonEC2" in table.sources["AmazonEC2"].name
    assert said == [
        "the price list has no price of network load balancers in eu-west-1",
        "the price list has several prices of rds/postgres/db.odd/single in eu-west-1, so that none counts",
    ]


def test_every_question_is_answered_by_these_recordings() -> None:
    assert [query.what for query in QUERIES] == list(ANSWERS)


@pytest.mark.parametrize(
    "odd",
    [
        product("EU-NatGateway-Hours", "0.1", "GB"),
        product("EU-NatGateway-Hours", "0.1", begin="51200"),
        product("EU-NatGateway-Hours", "0.0"),
    ],
)
def test_a_price_of_another_unit_of_a_later_tier_or_of_nothing_does_not_count(
    client: Any, stub: Stubber, odd: str
) -> None:
    for query in QUERIES:
        found = [odd] if query.what == "NAT gateways" else ANSWERS[query.what]
        stub.add_response("get_products", {"PriceList": found})
    assert "nat" not in ask(client, "eu-west-1", lambda _: None).prices


def test_a_region_that_the_price_list_does_not_know_is_said_to_be_so(client: Any, stub: Stubber) -> None:
    for _ in QUERIES:
        stub.add_response("get_products", {"PriceList": []})
    with pytest.raises(ToolError, match="and it has none"):
        ask(client, "mx-central-9", lambda _: None)


@pytest.mark.parametrize("text", ["no JSON", "[]", '{"product": []}', '{"product": {"attributes": 3}}'])
def test_an_answer_of_another_shape_is_an_error_and_no_price(client: Any, stub: Stubber, text: str) -> None:
    stub.add_response("get_products", {"PriceList": [text]})
    with pytest.raises(ToolError, match="its answer cannot be read"):
        ask(client, "eu-west-1", lambda _: None)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("AccessDeniedException", "do not permit"),
        ("ExpiredTokenException", "are over or not valid"),
        ("ThrottlingException", "takes no more requests"),
    ],
)
def test_a_refusal_names_the_action_and_what_to_do(client: Any, stub: Stubber, code: str, said: str) -> None:
    stub.add_client_error("get_products", code, "User: x is not authorized")
    with pytest.raises(ToolError, match=said) as refused:
        ask(client, "eu-west-1", lambda _: None)
    assert "pricing:GetProducts" in str(refused.value)
    assert refused.value.hint


@pytest.fixture
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without settings of AWS; its state folder."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "understudy"


def test_refresh_writes_the_table_that_then_counts(
    nobody: Path, client: Any, stub: Stubber, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def made(session: AwsSession, service: str) -> Any:
        assert (session.region, service) == ("us-east-1", "pricing"), "the price list is asked in one region"
        return client

    monkeypatch.setattr(AwsSession, "client", made)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    keep(OLD, nobody)
    answer(stub)
    assert refresh("", form="json") == 0
    printed = capsys.readouterr()
    (shown,) = json.loads(printed.out)["tables"]
    assert shown["place"] == str(nobody / "prices" / "eu-west-1.json")
    assert "network load balancers" in printed.err
    assert find("eu-west-1", nobody).prices["nat"].rate == 0.048


def test_what_fails_leaves_the_table_that_was_there(
    nobody: Path, client: Any, stub: Stubber, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AwsSession, "client", lambda *_: client)
    keep(OLD, nobody)
    stub.add_response("get_products", {"PriceList": ANSWERS["Fargate vCPU"]})
    stub.add_client_error("get_products", "AccessDeniedException", "no")
    with pytest.raises(ToolError):
        refresh("eu-west-1", form="text")
    assert find("eu-west-1", nobody) == OLD


def test_without_a_region_credentials_or_boto3_it_is_said_what_is_missing(
    nobody: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ToolError, match="none is named"):
        refresh("", form="text")
    with pytest.raises(UsageError, match="is no AWS region"):
        refresh("eu_west", form="text")
    with pytest.raises(ToolError, match="there are no credentials") as refused:
        refresh("eu-west-1", form="text")
    assert "AWS_PROFILE" in refused.value.hint
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(ToolError, match="boto3") as missing:
        refresh("eu-west-1", form="text")
    assert "understudy[aws]" in missing.value.hint
    assert not (nobody / "prices").exists()
