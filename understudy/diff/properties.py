"""What of a resource differs from what was provisioned, by the package of its type: which properties say so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from understudy.diff.record import PropertyRecord
from understudy.diff.values import between, holds_secret, meant
from understudy.engine.interface import Seen

__all__ = ["differing"]

Values = Mapping[str, object]

_DOCKERS = frozenset(("imageId", "ports"))
"""Outputs in which a change counts: a tag that names another image, a host port that the kernel chose anew."""

_BESIDES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "aws:ecs/service:Service": ("enableExecuteCommand",),
        "aws:iam/role:Role": ("maxSessionDuration", "permissionsBoundary"),
        "aws:s3/bucketObjectv2:BucketObjectv2": ("etag",),
        "aws:secretsmanager/secretVersion:SecretVersion": ("versionStages",),
        "aws:sqs/queue:Queue": (
            *("delaySeconds", "kmsMasterKeyId", "maxMessageSize", "messageRetentionSeconds", "receiveWaitTimeSeconds"),
            "visibilityTimeoutSeconds",
        ),
        "aws:ssm/parameter:Parameter": ("version",),
    }
)
"""Type -> outputs that count although nobody declared them: a default that was changed by hand, or a trace of a value
that nobody may see. Other outputs do not: many change with the resources around, such as a target group's balancers
or the policy of a queue, which may be a resource of its own."""

_TAGS = frozenset(("tags", "tagsAll"))
_OF_AWS = "aws:"
"""How tags begin that AWS itself sets, and nobody else can (AWS, Tag naming limits)."""


def differing(seen: Seen) -> Iterator[PropertyRecord]:
    """Every property that differs, with both values; none of a resource that is gone."""
    if seen.now is None:
        return
    look = _LOOKS.get(seen.type.partition(":")[0], _bridged)
    for key, old, new in look(seen, *seen.now):
        yield from between(key, old, new)


def _embedded(seen: Seen, inputs: Values, outputs: Values) -> Iterator[tuple[str, object, object]]:
    """The provider of Docker shows drift as other inputs, and nothing else there."""
    for key in dict.fromkeys((*seen.inputs, *inputs)):
        if key != "mustRun" and seen.inputs.get(key) != inputs.get(key):
            yield key, seen.inputs.get(key), inputs.get(key)
    for key in sorted(_DOCKERS & seen.outputs.keys() & outputs.keys()):
        if seen.outputs[key] != outputs[key]:
            yield key, seen.outputs[key], outputs[key]


def _bridged(seen: Seen, inputs: Values, outputs: Values) -> Iterator[tuple[str, object, object]]:
    """What is declared, by the outputs of both times, since both are as the provider reads them.

    Inputs are as the program has them, and a refresh shows of a list's or map's members only as many as are declared
    (pulumi-terraform-bridge, pkg/tfbridge/schema.go, extractInputs).
    """
    for key in dict.fromkeys((*seen.inputs, *_BESIDES.get(seen.type, ()))):
        if key in _TAGS or key == "__defaults":
            continue
        secret = holds_secret(seen.inputs.get(key)) or holds_secret(inputs.get(key))
        both = not secret and (key in seen.outputs or key in outputs)
        old, new = (seen.outputs, outputs) if both else (seen.inputs, inputs)
        yield key, meant(old.get(key), key), meant(new.get(key), key)
    before, now = _tags(seen.inputs, seen.outputs), _tags(inputs, outputs)
    for name in dict.fromkeys((*before, *now)):
        yield f"tags.{name}", before.get(name), now.get(name)


def _tags(inputs: Values, outputs: Values) -> Values:
    """All tags, with those of the provider's own configuration, where a type has them."""
    found = outputs.get("tagsAll", inputs.get("tags"))
    given = found if isinstance(found, Mapping) else {}
    return {name: value for name, value in given.items() if not name.startswith(_OF_AWS)}


_LOOKS: Mapping[str, Callable[[Seen, Values, Values], Iterator[tuple[str, object, object]]]] = MappingProxyType(
    {"docker": _embedded}
)
"""Package -> what of its resources is compared; any other is a bridged provider's, as that of AWS is."""
