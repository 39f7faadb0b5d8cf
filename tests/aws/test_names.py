"""Every name on AWS fits its service's alphabet and length for any input, and distinct inputs have distinct names."""

from __future__ import annotations

import re
from collections.abc import Callable

from hostile_strings import hostile
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.stacks import aws_names
from understudy.stacks.identity import environment_id

ID = environment_id("https://host/repo.git", "compose.yaml", "branch:main")
TARGET = "aws:123456789012:eu-west-1"
RESERVED = ("s3alias", "a-s3alias", "--ol-s3", "x--x-s3", "internal-x", "sg-x", "xn--a", "default", "a-abcdef", ".fifo")
TEXTS = st.one_of(st.text(), st.sampled_from((*RESERVED, *hostile())), st.text(alphabet="abc-0_A.", max_size=90))


def bucket(logical: str) -> str:
    return aws_names.bucket(ID, logical, TARGET)


def fifo(logical: str) -> str:
    return aws_names.queue(ID, logical, fifo=True)


def of(kind: str) -> Callable[[str], str]:
    return lambda logical: str(getattr(aws_names, kind)(ID, logical))


LETTERS = r"(?!.*--)[a-z][a-z0-9-]*(?<!-)"
KINDS: dict[str, tuple[Callable[[str], str], int, str]] = {
    "load_balancer": (of("load_balancer"), 32, r"(?!internal-)[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?"),
    "target_group": (of("target_group"), 32, r"[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?"),
    "role": (of("role"), 64, r"[\w+=,.@-]+"),
    "policy": (of("policy"), 128, r"[\w+=,.@-]+"),
    "database_instance": (of("database_instance"), 63, LETTERS),
    "database": (of("database"), 63, r"[a-z][a-z0-9_]*"),
    "database_role": (of("database_role"), 32, r"[a-z][a-z0-9_]*"),
    "subnet_group": (of("subnet_group"), 255, r"(?!default$)[a-z][a-z0-9-]*"),
    "cache_cluster": (of("cache_cluster"), 50, LETTERS),
    "replication_group": (of("replication_group"), 40, LETTERS),
    "cache_user": (of("cache_user"), 40, r"[a-z][a-z0-9-]*"),
    "bucket": (bucket, 63, r"(?!xn--|sthree-|amzn-s3-demo-)(?!.*\.\.)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]"),
    "queue": (of("queue"), 80, r"[a-zA-Z0-9_-]+"),
    "fifo": (fifo, 80, r"[a-zA-Z0-9_-]+\.fifo"),
    "secret": (of("secret"), 512, r"understudy/(?!.*-[a-zA-Z0-9]{6}$)[A-Za-z0-9/_+=.@-]+"),
    "parameter": (of("parameter"), 1011, r"/understudy/(?!(?i:aws|ssm))[A-Za-z0-9_.-]+"),
    "security_group": (of("security_group"), 255, r"(?!sg-)[a-z][a-z0-9-]*"),
    "service": (of("service"), 255, r"[a-zA-Z0-9_-]+"),
    "family": (of("family"), 255, r"[a-zA-Z0-9_-]+"),
    "discovery": (lambda logical: aws_names.discovery(logical, 80), 63, r"[a-z0-9][a-z0-9_.-]*"),
    "container": (aws_names.container, 255, r"[a-zA-Z0-9][a-zA-Z0-9_-]*"),
}


@settings(max_examples=60, deadline=None)
@given(logical=TEXTS)
def test_any_text_becomes_a_name_of_each_kind(logical: str) -> None:
    for kind, (make, limit, pattern) in KINDS.items():
        made = make(logical)
        assert len(made) <= limit, kind
        assert re.fullmatch(pattern, made, re.ASCII), kind
        assert not made.endswith(("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")), kind


@settings(max_examples=30, deadline=None)
@given(logicals=st.lists(TEXTS, unique=True, max_size=20))
def test_distinct_texts_have_distinct_names_whatever_the_case(logicals: list[str]) -> None:
    for kind, (make, _, _) in KINDS.items():
        assert len({make(logical).lower() for logical in logicals}) == len(logicals), kind


def test_the_table_of_limits_has_every_kind() -> None:
    named = set(KINDS) - {"fifo"} | {"log_group", "namespace", "port_name"}
    assert named == set(aws_names.LIMITS)
    assert len(aws_names.log_group(ID)) <= aws_names.LIMITS["log_group"]
    assert re.fullmatch(r"[a-z0-9_][a-z0-9_-]{0,63}", aws_names.port_name(65535))
    assert re.fullmatch(r"[!-~]{1,1024}", aws_names.namespace(ID))


def test_a_bucket_of_another_account_is_another() -> None:
    other = aws_names.bucket(ID, "files", "aws:210987654321:eu-west-1")
    assert bucket("files") != other
    assert bucket("files").startswith(f"{ID}-files-")
