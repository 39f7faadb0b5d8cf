from __future__ import annotations

import json

import pytest

from understudy.errors import UsageError
from understudy.suites.contract import Contract, EndpointAddress, check_names, host_environment

CANARIES = {
    "PULUMI_CONFIG_PASSPHRASE": "canary-1",
    "PULUMI_ACCESS_TOKEN": "canary-2",
    "AWS_ACCESS_KEY_ID": "canary-3",
    "AWS_SECRET_ACCESS_KEY": "canary-4",
    "AWS_SESSION_TOKEN": "canary-5",
    "GOOGLE_APPLICATION_CREDENTIALS": "canary-6",
    "GITHUB_TOKEN": "canary-7",
    "ARM_CLIENT_SECRET": "canary-8",
    "DOCKER_HOST": "canary-9",
    "HTTPS_PROXY": "http://user:canary-10@proxy",
    "UNDERSTUDY_LEASE_DIR": "canary-11",
    "SSH_AUTH_SOCK": "canary-12",
    "PYTEST_ADDOPTS": "canary-13",
}


def test_no_credential_of_the_host_reaches_a_suite() -> None:
    given = {**CANARIES, "PATH": "/bin", "LC_ALL": "C.UTF-8", "HOME": "/home/u", "CI": "true"}

    passed = host_environment({"OWN": "1"}, given)

    assert "canary" not in repr(passed)
    assert passed == {
        "PYTHONUNBUFFERED": "1",
        "PATH": "/bin",
        "LC_ALL": "C.UTF-8",
        "HOME": "/home/u",
        "CI": "true",
        "OWN": "1",
    }


@pytest.mark.parametrize("name", ["PULUMI_CONFIG_PASSPHRASE", "UNDERSTUDY_RESULTS", "pulumi_access_token"])
def test_a_suite_cannot_set_reserved_names(name: str) -> None:
    with pytest.raises(UsageError, match=name):
        host_environment({name: "x"}, {})


def test_a_suite_may_set_its_own_value_over_the_hosts() -> None:
    assert host_environment({"TZ": "UTC"}, {"TZ": "Europe/Rome"})["TZ"] == "UTC"


def test_variables_name_every_endpoint_and_secret() -> None:
    contract = Contract(
        "eabc",
        (EndpointAddress("web-front.1", 80, "127.0.0.1", 32001, "http"), EndpointAddress("db", 5432, "::1", 32002)),
        {"Db_Password": "v"},
    )

    assert contract.variables("/run/c.json") == {
        "UNDERSTUDY_ENVIRONMENT": "eabc",
        "UNDERSTUDY_CONTRACT": "/run/c.json",
        "UNDERSTUDY_WEB_FRONT_1_80_HOST": "127.0.0.1",
        "UNDERSTUDY_WEB_FRONT_1_80_PORT": "32001",
        "UNDERSTUDY_WEB_FRONT_1_80_URL": "http://127.0.0.1:32001",
        "UNDERSTUDY_DB_5432_HOST": "::1",
        "UNDERSTUDY_DB_5432_PORT": "32002",
        "UNDERSTUDY_DB_5432_URL": "tcp://[::1]:32002",
        "UNDERSTUDY_SECRET_DB_PASSWORD": "v",
    }
    document = json.loads(json.dumps(contract.document()))
    assert document["endpoints"]["db:5432"]["host_port"] == 32002
    assert document["secrets"] == {"Db_Password": "v"}


def test_the_contract_does_not_show_secrets_when_printed() -> None:
    assert "hidden-value" not in repr(Contract("e", (), {"A": "hidden-value"}))


@pytest.mark.parametrize(
    ("endpoints", "rules"),
    [
        ([("a-b", 80), ("a_b", 80)], []),
        ([("web", 80), ("WEB", 80)], []),
        ([], ["db_password", "DB_PASSWORD"]),
        ([("secret-x", 1)], ["x_1_url"]),
    ],
)
def test_names_that_clash_after_upper_casing_are_refused(endpoints: list[tuple[str, int]], rules: list[str]) -> None:
    with pytest.raises(UsageError, match="both come to UNDERSTUDY_"):
        check_names(endpoints, rules)


def test_different_ports_of_one_service_do_not_clash() -> None:
    check_names([("web", 80), ("web", 8080), ("db", 5432)], ["PASSWORD"])
