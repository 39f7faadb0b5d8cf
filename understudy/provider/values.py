"""Values: protobuf structs to plain Python and back, with the engine's unknowns as one object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from google.protobuf.struct_pb2 import Struct

__all__ = ["UNKNOWN", "Unknown", "from_struct", "has_unknown", "to_struct"]


class Unknown:
    """A value that is known only once the resource it comes from exists; there is one instance, `UNKNOWN`."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown()

_SENTINELS = frozenset(
    {
        "04da6b54-80e4-46f7-96ec-b56ff0331ba9",  # string, and anything the Python SDK sends
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # bool
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # number
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # array
        "030794c1-ac77-496b-92df-f27374a8bd58",  # asset
        "e48ece36-62e2-4504-bad9-02848725956a",  # archive
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # object
    }
)
"""The strings that stand for unknowns (pulumi sdk v3.200.0, go/common/resource/plugin/rpc.go)."""

_UNKNOWN_TEXT = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


def from_struct(struct: Struct) -> dict[str, Any]:
    """A struct as a dict; doubles without a fraction become ints, unknowns become `UNKNOWN`, nulls are left out."""
    from google.protobuf.json_format import MessageToDict

    plain = _in(MessageToDict(struct))
    return plain if isinstance(plain, dict) else {}


def _in(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return {key: _in(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_in(item) for item in value]
    if isinstance(value, str) and value in _SENTINELS:
        return UNKNOWN
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def to_struct(values: Mapping[str, Any]) -> Struct:
    """A mapping as a struct; `UNKNOWN` becomes the string sentinel, None is left out."""
    from google.protobuf.struct_pb2 import Struct

    made = Struct()
    made.update({key: _out(item) for key, item in values.items() if item is not None})
    return made


def _out(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, Unknown):
        return _UNKNOWN_TEXT
    if isinstance(value, Mapping):
        return {key: _out(item) for key, item in value.items() if item is not None}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_out(item) for item in value]
    return value


def has_unknown(value: object) -> bool:
    """Whether the value is unknown or has an unknown anywhere inside."""
    if isinstance(value, Mapping):
        return any(has_unknown(item) for item in value.values())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return any(has_unknown(item) for item in value)
    return isinstance(value, Unknown)
