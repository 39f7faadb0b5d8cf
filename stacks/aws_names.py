"""Names on AWS: one function for each kind of thing, within that service's alphabet and length for any input.

The limits are those of the API models that botocore ships; where a rule stands elsewhere, its page is named.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from . import identity

__all__ = [
    "LIMITS",
    "LOG_PREFIX",
    "PARAMETER_PREFIX",
    "ROLE_PATH",
    "SECRET_PREFIX",
    "bucket",
    "cache_cluster",
    "cache_user",
    "container",
    "database",
    "database_instance",
    "database_role",
    "discovery",
    "family",
    "load_balancer",
    "log_group",
    "logicals",
    "namespace",
    "parameter",
    "policy",
    "port_name",
    "queue",
    "replication_group",
    "role",
    "secret",
    "security_group",
    "service",
    "subnet_group",
    "target_group",
]

LIMITS: Mapping[str, int] = MappingProxyType(
    {
        "bucket": 63,
        "cache_cluster": 50,
        "cache_user": 40,
        "container": 255,
        "database": 63,
        "database_instance": 63,
        "database_role": 32,
        "discovery": 63,
        "family": 255,
        "load_balancer": 32,
        "log_group": 512,
        "namespace": 1024,
        "parameter": 1011,
        "policy": 128,
        "port_name": 64,
        "queue": 80,
        "replication_group": 40,
        "role": 64,
        "secret": 512,
        "security_group": 255,
        "service": 255,
        "subnet_group": 255,
        "target_group": 32,
    }
)
"""Kind of name -> the most characters that AWS takes; of a database the least of PostgreSQL's 63 and MySQL's 64, of
its role MySQL's 32 (PostgreSQL, Identifiers; MySQL, Account User Name Syntax), of a parameter that of PutParameter."""

ROLE_PATH = "/understudy/"
"""The path of every IAM role of an environment: IAM lists by it, and the tagging API lists no role."""

SECRET_PREFIX = "understudy/"  # noqa: S105 - the beginning of names, no secret
"""What every secret's name begins with: the execution role reads these alone."""

PARAMETER_PREFIX = "/understudy/"
"""What every parameter's name begins with: the execution role reads these alone."""

LOG_PREFIX = "/understudy/"
"""What every log group's name begins with."""

_FIFO = ".fifo"
_VALUE = "/value"


def _name(kind: str, environment: str, logical: str) -> str:
    return identity.name(environment, logical, LIMITS[kind])


def logicals(environment: str, target: str, services: Iterable[str]) -> dict[str, str]:
    """Every name that what is made for one of these services may have in its environment -> the service.

    Names on Docker are among them: one limit of 63 characters is theirs too.
    """
    found: dict[str, str] = {}
    for logical in services:
        found.update(dict.fromkeys((identity.name(environment, logical, most) for most in LIMITS.values()), logical))
        found[bucket(environment, logical, target)] = logical
        found[queue(environment, logical, fifo=True)] = logical
    return found


def load_balancer(environment: str, logical: str) -> str:
    """An Application Load Balancer: letters, digits and dashes, not beginning with `internal-`."""
    return _name("load_balancer", environment, logical)


def target_group(environment: str, logical: str) -> str:
    """A target group: letters, digits and dashes."""
    return _name("target_group", environment, logical)


def role(environment: str, logical: str) -> str:
    """An IAM role, unique in the account whatever the case of its letters."""
    return _name("role", environment, logical)


def policy(environment: str, logical: str) -> str:
    """An IAM policy."""
    return _name("policy", environment, logical)


def database_instance(environment: str, logical: str) -> str:
    """An RDS instance or cluster: a letter first, no two dashes together, none at the end."""
    return _name("database_instance", environment, logical)


def database(environment: str, logical: str) -> str:
    """A database in an instance, as an SQL identifier that needs no quotes."""
    return _name("database", environment, logical).replace("-", "_")


def database_role(environment: str, logical: str) -> str:
    """A user in an instance, as an SQL identifier that needs no quotes."""
    return _name("database_role", environment, logical).replace("-", "_")


def subnet_group(environment: str, logical: str) -> str:
    """A subnet group of RDS or ElastiCache."""
    return _name("subnet_group", environment, logical)


def cache_cluster(environment: str, logical: str) -> str:
    """An ElastiCache cluster: a letter first, no two dashes together, none at the end."""
    return _name("cache_cluster", environment, logical)


def replication_group(environment: str, logical: str) -> str:
    """An ElastiCache replication group, as a cluster but shorter."""
    return _name("replication_group", environment, logical)


def cache_user(environment: str, logical: str) -> str:
    """The id of an ElastiCache user; it is also the prefix of the keys that the user may touch."""
    return _name("cache_user", environment, logical)


def bucket(environment: str, logical: str, target: str) -> str:
    """An S3 bucket. Buckets share one name space over all accounts, so eight characters of the target's hash follow.

    They also keep the name from every reserved ending (S3, General purpose bucket naming rules).
    """
    digest = hashlib.sha256(target.encode("utf-8", "surrogatepass")).digest()
    mark = base64.b32encode(digest).decode().lower()[:8]
    return f"{identity.name(environment, logical, LIMITS['bucket'] - len(mark) - 1)}-{mark}"


def queue(environment: str, logical: str, *, fifo: bool = False) -> str:
    """An SQS queue; the name of a FIFO queue ends with `.fifo`, which counts (SQS, CreateQueue)."""
    if not fifo:
        return _name("queue", environment, logical)
    return identity.name(environment, logical, LIMITS["queue"] - len(_FIFO)) + _FIFO


def secret(environment: str, logical: str) -> str:
    """A secret of Secrets Manager; it must not end with a dash and six characters, as its ARN does (CreateSecret)."""
    room = LIMITS["secret"] - len(SECRET_PREFIX) - len(_VALUE)
    return f"{SECRET_PREFIX}{identity.name(environment, logical, room)}{_VALUE}"


def parameter(environment: str, logical: str) -> str:
    """A parameter of Systems Manager, in a hierarchy of two levels (PutParameter, Name)."""
    room = LIMITS["parameter"] - len(PARAMETER_PREFIX)
    return f"{PARAMETER_PREFIX}{identity.name(environment, logical, room)}"


def log_group(environment: str) -> str:
    """The one log group of an environment."""
    return f"{LOG_PREFIX}{environment}"


def namespace(environment: str) -> str:
    """The HTTP namespace of an environment; a Service Connect name is unique in its namespace, so each has its own."""
    return environment


def family(environment: str, logical: str) -> str:
    """A family of ECS task definitions."""
    return _name("family", environment, logical)


def service(environment: str, logical: str) -> str:
    """An ECS service."""
    return _name("service", environment, logical)


def security_group(environment: str, logical: str) -> str:
    """A security group, not beginning with `sg-`."""
    return _name("security_group", environment, logical)


def container(logical: str) -> str:
    """A container in a task, where no other environment is."""
    return identity.name("c", logical, LIMITS["container"]).removeprefix("c-")


def discovery(logical: str, port: int) -> str:
    """The name of a service's port in its Cloud Map namespace; the names that clients use are aliases of it."""
    return identity.name("s", f"{logical}.{port}", LIMITS["discovery"])


def port_name(port: int) -> str:
    """The name of a container port, which Service Connect refers to."""
    return f"tcp-{port}"
