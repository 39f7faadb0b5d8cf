"""What is asked of AWS's price list, and which of its answers is the price of what. Pure.

The fields are those of GetProducts (AWS Price List Query API): a product is told by its service, family, attributes
and usage type, whose beginning says the region (`USE1-`, `EU-`, nothing at all).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from understudy.stacks.cost.table import Price, PriceTable, Source

__all__ = ["ENDPOINT", "QUERIES", "Answers", "Query"]

ENDPOINT = "https://api.pricing.us-east-1.amazonaws.com"
"""Where the price list is asked, for every region (AWS General Reference, AWS Price List endpoints)."""

_PREFIX = r"(?:(?:[A-Z]{3}[0-9]|EU)-)?"
"""The region in a usage type. `TS-` and the like are no regions, but other things that are charged."""

_WORDS = {
    "vCPU-hour": r"hours?|hrs|vcpu-hours?",
    "GB-hour": r"hours?|hrs|gb-hours?",
    "address-hour": r"hours?|hrs",
    "hour": r"hours?|hrs",
    "GB-month": r"gb-mo(nth)?",
    "secret-month": r"secrets?|.*months?",
}
"""What the price list calls our units."""

_ENGINES = {
    "PostgreSQL": "postgres",
    "MySQL": "mysql",
    "MariaDB": "mariadb",
    "Aurora PostgreSQL": "aurora-postgresql",
    "Aurora MySQL": "aurora-mysql",
}
_DEPLOYMENTS = {"Single-AZ": "single", "Multi-AZ": "multi"}

_Attributes = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Query:
    """One question: of which service, with which filters, and what a product is the price of (nothing: none of ours).

    `unit` is that of our table.
    """

    what: str
    service: str
    unit: str
    name: Callable[[_Attributes], str]
    filters: Mapping[str, str] = field(default_factory=dict)

    def asked(self, region: str) -> list[dict[str, str]]:
        """The filters as GetProducts takes them."""
        wanted = {"regionCode": region, **self.filters}
        return [{"Type": "TERM_MATCH", "Field": key, "Value": value} for key, value in wanted.items()]


def _usage(pattern: str, name: str) -> Callable[[_Attributes], str]:
    """The price of this name, where the usage type is exactly that, with or without a region."""
    wanted = re.compile(_PREFIX + pattern)
    return lambda attributes: name if wanted.fullmatch(attributes.get("usagetype", "")) else ""


def _fargate(what: str, unit: str, usage: str, name: str) -> Query:
    return Query(f"Fargate {what}", "AmazonECS", unit, _usage(usage, name), {"productFamily": "Compute"})


def _balancer(kind: str) -> Query:
    family = {"productFamily": f"Load Balancer-{kind.title()}"}
    return Query(f"{kind} load balancers", "AWSELB", "hour", _usage("LoadBalancerUsage", f"lb/{kind}"), family)


def _database(attributes: _Attributes) -> str:
    engine, size = _ENGINES.get(attributes.get("databaseEngine", "")), attributes.get("instanceType", "")
    deployment = _DEPLOYMENTS.get(attributes.get("deploymentOption", ""))
    plain = re.fullmatch(rf"{_PREFIX}(?:InstanceUsage|Multi-AZUsage):.*", attributes.get("usagetype", ""))
    return f"rds/{engine}/{size}/{deployment}" if engine and size and deployment and plain else ""


def _storage(attributes: _Attributes) -> str:
    found = re.fullmatch(rf"{_PREFIX}RDS:(Multi-AZ-)?(GP2|GP3)-Storage", attributes.get("usagetype", ""))
    plain = attributes.get("databaseEngine", "Any") in {"Any", "PostgreSQL", "MySQL", "MariaDB"}
    return f"rds/storage/{found[2].lower()}/{'multi' if found[1] else 'single'}" if found and plain else ""


def _node(attributes: _Attributes) -> str:
    engine, size = attributes.get("cacheEngine", "").lower(), attributes.get("instanceType", "")
    plain = re.fullmatch(rf"{_PREFIX}NodeUsage:.*", attributes.get("usagetype", ""))
    return f"elasticache/{engine}/{size}" if engine and size and plain else ""


QUERIES: tuple[Query, ...] = (
    _fargate("vCPU", "vCPU-hour", "Fargate-vCPU-Hours:perCPU", "fargate/vcpu/x86_64"),
    _fargate("memory", "GB-hour", "Fargate-GB-Hours", "fargate/memory/x86_64"),
    _fargate("vCPU on ARM", "vCPU-hour", "Fargate-ARM-vCPU-Hours:perCPU", "fargate/vcpu/arm64"),
    _fargate("memory on ARM", "GB-hour", "Fargate-ARM-GB-Hours", "fargate/memory/arm64"),
    _fargate("disk", "GB-hour", "Fargate-EphemeralStorage-GB-Hours", "fargate/disk"),
    Query("public IPv4 addresses", "AmazonVPC", "address-hour", _usage("PublicIPv4:InUseAddress", "ipv4")),
    Query("NAT gateways", "AmazonEC2", "hour", _usage("NatGateway-Hours", "nat"), {"productFamily": "NAT Gateway"}),
    _balancer("application"),
    _balancer("network"),
    Query("databases", "AmazonRDS", "hour", _database, {"productFamily": "Database Instance"}),
    Query("database storage", "AmazonRDS", "GB-month", _storage, {"productFamily": "Database Storage"}),
    Query("cache nodes", "AmazonElastiCache", "hour", _node, {"productFamily": "Cache Instance"}),
    Query("secrets", "AWSSecretsManager", "secret-month", lambda _: "secret", {"productFamily": "Secret"}),
)
"""Every question; each is asked page by page."""


@dataclass
class Answers:
    """What the price list said so far of one region.

    Attributes:
        region: whose prices.
        rates: name -> the rates of the products that are its price. Several differ: nobody can tell which counts.
        units: name -> our unit.
        services: name -> the service that was asked.
        published: service -> the newest day that its prices were published on.
    """

    region: str
    rates: dict[str, set[float]] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    services: dict[str, str] = field(default_factory=dict)
    published: dict[str, str] = field(default_factory=dict)

    def take(self, query: Query, products: Iterable[str]) -> None:
        """Take the products of a page, each a JSON text, as GetProducts gives them.

        Raises:
            ValueError: one is none, or has not the documented shape.
        """
        for product in products:
            data = _object(json.loads(product))
            attributes = _object(_object(data.get("product")).get("attributes"))
            name = query.name({key: str(value) for key, value in attributes.items()})
            if not name:
                continue
            rates = set(_rates(data, query.unit))
            if not rates:
                continue
            self.rates.setdefault(name, set()).update(rates)
            self.units[name], self.services[name] = query.unit, query.service
            day = str(data.get("publicationDate", ""))[:10]
            self.published[query.service] = max(self.published.get(query.service, ""), day)

    @property
    def unclear(self) -> tuple[str, ...]:
        """The names of which products differ in price, so that none counts."""
        return tuple(sorted(name for name, rates in self.rates.items() if len(rates) > 1))

    def table(self, today: str) -> PriceTable:
        """The table of what is clear, made on the day `today`; a service that gives no date has that one."""
        clear = {name: next(iter(rates)) for name, rates in sorted(self.rates.items()) if len(rates) == 1}
        services = sorted({self.services[name] for name in clear})
        return PriceTable(
            region=self.region,
            currency="USD",
            dated=today,
            sources={
                each: Source(f"AWS price list, GetProducts of {each}", ENDPOINT, self.published.get(each) or today)
                for each in services
            },
            prices={name: Price(rate, self.units[name], (self.services[name],)) for name, rate in clear.items()},
        )


def _rates(product: Mapping[str, Any], unit: str) -> Iterable[float]:
    """The rates on demand of a product, in dollars, from the first unit on; what is free is none."""
    for term in _object(_object(product.get("terms")).get("OnDemand", {})).values():
        for dimension in _object(_object(term).get("priceDimensions")).values():
            said = _object(dimension)
            dollars = _object(said.get("pricePerUnit")).get("USD")
            known = re.fullmatch(_WORDS[unit], str(said.get("unit", "")), re.IGNORECASE)
            if dollars is None or not known or str(said.get("beginRange", "0")) != "0":
                continue
            if (rate := float(dollars)) > 0:
                yield rate


def _object(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"an object expected, not {type(value).__name__}")  # noqa: TRY004 - as json.loads does
    return value
