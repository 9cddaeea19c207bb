"""What is refused, each with its HTTP status; a refusal is one line, like every other error."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from yinshi.errors import UsageError, YinshiError

#: Pydantic's names of what is too large, rather than wrong.
TOO_LARGE = ("string_too_long", "too_long")
#: Fields which are sizes: beyond their bounds a request is too large.
SIZES = {"count", "max_length", "candidates"}
#: Characters that are shown of what was found.
SHOWN = 40
_SHOULD = re.compile("^[A-Z][a-z]+ should (be|have)? ?")
#: Names of statuses that Starlette raises itself.
NAMES = {404: "NotFoundError", 405: "MethodError", 413: "TooLargeError"}


class RefusedError(YinshiError):
    """A request that is not served; `retry_after` is in seconds."""

    status = 500

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class TooLargeError(RefusedError):
    """More than the limits allow."""

    status = 413


class TooManyError(RefusedError):
    """One client has too much under way."""

    status = 429


class BusyError(RefusedError):
    """The queue is full, or the server is stopping."""

    status = 503


class DeadlineError(RefusedError):
    """It took too long."""

    status = 504


class ClientGoneError(RefusedError):
    """Nobody is there to read the answer (499 is nginx's number for it)."""

    status = 499


class InternalError(RefusedError):
    """A fault of the server's own."""


def error_response(
    status: int, name: str, detail: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """The body of every error. What can't be encoded, a lone surrogate, is shown by its number."""
    detail = " ".join(detail.split()).encode("utf-8", "backslashreplace").decode()
    return JSONResponse({"detail": detail, "error": name}, status, headers)


async def refused(request: Request, error: Exception) -> JSONResponse:
    """A `RefusedError`, or a `UsageError` (422), or another `YinshiError` (500)."""
    status = 422 if isinstance(error, UsageError) else 500
    headers = {}
    if isinstance(error, RefusedError):
        status = error.status
        if error.retry_after is not None:
            headers["Retry-After"] = str(max(1, ceil(error.retry_after)))
    return error_response(status, type(error).__name__, str(error), headers)


async def malformed(request: Request, error: Exception) -> JSONResponse:
    """A body that Pydantic refuses: 413 where something is too large, else 422."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where, kind = first["loc"], first["type"]
    of_a_size = kind == "less_than_equal" and bool(SIZES & set(where))
    name = ".".join(str(part) for part in where[1:] if not _is_of_a_union(part)) or "body"
    if kind in TOO_LARGE or of_a_size:
        return error_response(413, "TooLargeError", f"{name}: {_told(first)}; ask for less at once")
    return error_response(422, "UsageError", f"{name}: {_told(first)}")


async def not_served(request: Request, error: Exception) -> JSONResponse:
    """What Starlette refuses itself. 400 is a body that can't be read at all."""
    assert isinstance(error, HTTPException)
    if error.status_code == 400:
        return error_response(422, "UsageError", "body: expected JSON in UTF-8")
    name = NAMES.get(error.status_code, "HTTPError")
    detail = f"{request.method} {request.url.path}: {error.detail}"
    return error_response(error.status_code, name, detail, error.headers)


async def failed(request: Request, error: Exception) -> JSONResponse:
    """A fault of the server's own, which its log tells."""
    detail = "the server has met a fault of its own; its log says which"
    return error_response(500, "InternalError", detail)


def _told(fault: Mapping[str, Any]) -> str:
    """What was found and what was expected."""
    kind, found = fault["type"], fault["input"]
    if kind == "extra_forbidden":
        return "unknown; /docs lists what may be asked"
    if kind == "json_invalid":
        return f"expected JSON ({fault['ctx']['error']})"
    if len(fault["loc"]) == 1:
        return "expected a JSON object in UTF-8, with Content-Type: application/json"
    if kind == "missing":
        return "found nothing, expected one"
    shown = f"{len(found)} characters" if kind == "string_too_long" else repr(found)[:SHOWN]
    return f"found {shown}, {_SHOULD.sub('expected ', fault['msg'])}"


def _is_of_a_union(part: object) -> bool:
    """Whether Pydantic put `part` into a place to name one branch of a union."""
    return isinstance(part, str) and part.startswith(("literal[", "constrained-"))


HANDLERS: Sequence[tuple[type[Exception], Any]] = (
    (YinshiError, refused),
    (RequestValidationError, malformed),
    (HTTPException, not_served),
    (Exception, failed),
)
