"""Tables of prices: where they lie, which counts, what makes one unusable, and what the shipped one holds."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from understudy.errors import ToolError, UsageError
from understudy.prices.command import show
from understudy.prices.shelf import SHIPPED, find, keep, known
from understudy.report.codec import encode, schema_of
from understudy.stacks.cost.table import Price, PriceTable, Source, no_prices

ROOT = Path(__file__).resolve().parents[2]
TABLE = PriceTable(
    region="us-east-1",
    currency="USD",
    dated="2030-01-02",
    sources={"page": Source("a page", "https://prices.example/nat", "2030-01")},
    prices={"nat": Price(0.05, "hour", ("page",)), "secret": Price(0.4, "secret-month", ("page",))},
)


def test_the_shipped_table_is_whole_and_names_a_dated_page_for_each_price(tmp_path: Path) -> None:
    text = (ROOT / "understudy" / "prices" / "tables" / "us-east-1.json").read_text(encoding="utf-8")
    schema = schema_of(PriceTable, identity="urn:understudy:prices:1", title="prices")
    Draft202012Validator(schema).validate(json.loads(text))
    (found,) = known(tmp_path)
    assert found.place == SHIPPED
    table = found.table
    assert encode(table) == json.loads(text)
    assert {source for price in table.prices.values() for source in price.sources} == set(table.sources)
    assert all(source.dated <= table.dated for source in table.sources.values())


@pytest.mark.parametrize(
    ("name", "per_hour"),
    [
        ("fargate/vcpu/x86_64", 0.04048),
        ("fargate/memory/x86_64", 0.004445),
        ("fargate/vcpu/arm64", 0.03238),
        ("fargate/memory/arm64", 0.00356),
        ("fargate/disk", 0.000111),
        ("ipv4", 0.005),
        ("nat", 0.045),
        ("lb/application", 0.0225),
        ("rds/postgres/db.t4g.micro/single", 0.016),
        ("rds/storage/gp3/single", 0.115 / 730),
        ("rds/storage/gp2/single", 0.115 / 730),
        ("secret", 0.4 / 730),
    ],
)
def test_shipped_prices_are_those_of_their_pages(name: str, per_hour: float, tmp_path: Path) -> None:
    assert find("us-east-1", tmp_path).prices[name].per_hour == per_hour


def test_a_table_of_the_user_comes_before_the_shipped_one(tmp_path: Path) -> None:
    place = keep(TABLE, tmp_path)
    assert find("us-east-1", tmp_path) == TABLE
    assert [found.place for found in known(tmp_path)] == [str(place)]
    assert place.stat().st_mode & 0o777 == 0o600
    place.unlink()
    assert find("us-east-1", tmp_path) != TABLE


def test_a_region_without_a_table_has_no_prices(tmp_path: Path) -> None:
    assert find("eu-west-1", tmp_path) == no_prices("eu-west-1")
    for odd in ("../../etc/x", "US-EAST-1", "", "mars"):
        with pytest.raises(UsageError, match="is no AWS region"):
            find(odd, tmp_path)


def changed(**changes: Any) -> dict[str, Any]:
    return {**encode(TABLE), **changes}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([], "schema"),
        (changed(schema=2), "version 1"),
        (changed(dated="yesterday"), "dated 'yesterday' is no day"),
        (changed(currency="$"), "currency"),
        (changed(region="eu-west-1"), "those of eu-west-1"),
        (changed(prices={"nat": {"rate": "0.05", "unit": "hour", "sources": ["page"]}}), "prices.nat.rate"),
        (changed(prices={"nat": {"rate": 0.05, "sources": ["page"]}}), "unit"),
        (changed(prices={"nat": {"rate": 0, "unit": "hour", "sources": ["page"]}}), "no amount above 0"),
        (changed(prices={"nat": {"rate": 0.05, "unit": "year", "sources": ["page"]}}), "'year'"),
        (changed(prices={"nat": {"rate": 0.05, "unit": "hour", "sources": []}}), "none of the table's sources"),
        (changed(prices={"nat": {"rate": 0.05, "unit": "hour", "sources": ["b"]}}), "none of the table's sources"),
        (changed(sources={"page": {"name": "a", "url": "page", "dated": "2030"}}), "no URL"),
        (changed(sources={"page": {"name": "a", "url": "https://a.example", "dated": ""}}), "no date"),
    ],
)
def test_a_table_that_cannot_be_reckoned_with_or_traced_is_refused(data: Any, said: str, tmp_path: Path) -> None:
    place = keep(TABLE, tmp_path)
    place.write_text(json.dumps(data))
    with pytest.raises(UsageError, match=re.escape(said)) as refused:
        find("us-east-1", tmp_path)
    assert str(place) in str(refused.value)


def test_a_table_that_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "prices").write_text("a file in the place of the folder")
    with pytest.raises(ToolError, match="Wrote the prices to") as failed:
        keep(TABLE, tmp_path)
    assert "XDG_STATE_HOME" in failed.value.hint
    with pytest.raises(UsageError, match="no amount above 0"):
        keep(
            PriceTable("us-east-1", "USD", "2030-01-02", TABLE.sources, {"nat": Price(-1, "hour", ("page",))}), tmp_path
        )


def test_show_prints_each_price_with_its_date_and_where_it_was_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert show("", form="text") == 0
    said = capsys.readouterr().out
    assert re.match(r"us-east-1: \d+ prices in USD of \d{4}-\d\d-\d\d, shipped with Understudy\n", said)
    assert "nat " in said
    keep(TABLE, tmp_path / "understudy")
    assert show("us-east-1", form="json") == 0
    (table,) = json.loads(capsys.readouterr().out)["tables"]
    assert table["place"] == str(tmp_path / "understudy" / "prices" / "us-east-1.json")
    assert table["prices"]["nat"] == {"rate": 0.05, "unit": "hour", "sources": ["page"]}
    with pytest.raises(UsageError, match="there are none") as refused:
        show("eu-west-1", form="text")
    assert "understudy prices refresh --region eu-west-1" in refused.value.hint
