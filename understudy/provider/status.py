"""Status: how a resource that exists but did not get ready is told to the engine, so that destroy removes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from pulumi.runtime.proto import provider_pb2, status_pb2

from understudy.errors import ProvisionError

from .values import to_struct

__all__ = ["DETAILS", "NotReadyError", "init_failed"]

DETAILS = "grpc-status-details-bin"
"""The trailer in which gRPC carries a google.rpc.Status (grpc, doc/PROTOCOL-HTTP2.md)."""


class NotReadyError(ProvisionError):
    """The object exists and has to be recorded, but did not become what was asked for."""

    def __init__(self, message: str, object_id: str, outputs: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.object_id = object_id
        self.outputs = outputs


def init_failed(
    object_id: str, reasons: Sequence[str], properties: Mapping[str, Any], inputs: Mapping[str, Any]
) -> tuple[str, bytes]:
    """The trailer that records a resource with its id although its creation failed.

    The engine looks for ErrorResourceInitFailed among the details of an error (pulumi sdk v3.200.0,
    go/common/resource/plugin/provider_plugin.go, parseError). google.rpc.Status comes from Pulumi's own copy:
    `google.rpc.status_pb2` defines the same symbol again and cannot be loaded beside it.
    """
    detail = AnyMessage()
    detail.Pack(
        provider_pb2.ErrorResourceInitFailed(
            id=object_id,
            reasons=list(reasons),
            properties=to_struct(properties),
            inputs=to_struct(inputs),
        )
    )
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message="\n".join(reasons), details=[detail])
    return DETAILS, status.SerializeToString()
