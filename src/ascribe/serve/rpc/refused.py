"""A refusal as a status of gRPC: google.rpc.Status, with details that say what to change or when to come again."""

from __future__ import annotations

from typing import Any, NoReturn

from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc.aio import ServicerContext as Context
from grpc_status import rpc_status

from ascribe.serve.faults import Problem
from ascribe.serve.observe.log import Entry

__all__ = ["refuse", "status_of"]

DETAIL_BYTES = 3000  # of a status: it travels as a header, and clients refuse headers above 8 KiB
TEXT = 300  # characters of a status, for the same reason


async def refuse(problem: Problem, entry: Entry, context: Context) -> NoReturn:
    """End a call."""
    await context.abort_with_status(status_of(problem, entry))
    raise AssertionError("a call that was aborted goes on")


def status_of(problem: Problem, entry: Entry) -> Any:
    """google.rpc.Status: ErrorInfo always; BadRequest, ResourceInfo or RetryInfo where the error table has one."""
    info = error_details_pb2.ErrorInfo(reason=problem.code.upper(), domain="ascribe")
    info.metadata["request_id"] = entry.request_id
    details: list[Message] = [info]
    if problem.fault.grpc == "INVALID_ARGUMENT":
        details.append(_bad_request(problem))
    if problem.code == "not_found":
        resource = f"{entry.model}/{entry.version}" if entry.version else entry.model
        details.append(error_details_pb2.ResourceInfo(resource_type="model", resource_name=resource))
    if problem.retry_s is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMilliseconds(round(problem.retry_s * 1000))
        details.append(retry)
    packed = [any_pb2.Any() for _ in details]
    for box, detail in zip(packed, details, strict=True):
        box.Pack(detail)
    code = code_pb2.Code.Value(problem.fault.grpc)
    return rpc_status.to_status(status_pb2.Status(code=code, message=problem.text[:TEXT], details=packed))


def _bad_request(problem: Problem) -> error_details_pb2.BadRequest:
    """Field violations as far as a header has room."""
    bad = error_details_pb2.BadRequest()
    for field, why in problem.violations or (("", problem.text),):
        if bad.ByteSize() + len(field) + len(why) * 4 > DETAIL_BYTES and bad.field_violations:
            break
        bad.field_violations.add(field=field, description=why[:TEXT])
    return bad
