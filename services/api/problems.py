"""Errors at the edge: every WaferwatchError becomes one answer, as JSON (RFC 9457) or as a page, as the asker prefers.

WaferwatchError
├── InputError
│   ├── NotFoundError      404      ├── UnauthorizedError  401
│   ├── ConflictError      409      └── ForbiddenError     403
│   └── (other)            422
├── RetryableError         503 with Retry-After (429 where the sender is over its quota)
└── ConfigurationError     500
"""

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from models.domain.errors import InputError, RetryableError, WaferwatchError
from services.alerting.handling import StaleAlert
from services.exhaustion import ExhaustedError, exhaustion_in
from services.telemetry.request_id import current_request_id

MEDIA_TYPE = "application/problem+json"
_RETRY_AFTER_S = 3
_log = logging.getLogger(__name__)


class NotFoundError(InputError):
    """There is no such thing under this address."""

    code = "not-found"


class UnauthorizedError(InputError):
    """Who asks must say who they are."""

    code = "unauthorized"


class ForbiddenError(InputError):
    """The request may not come from there."""

    code = "forbidden"


class TooManyRequestsError(InputError):
    """The caller asks too often."""

    code = "too-many-requests"

    def __init__(self, retry_after_s: int) -> None:
        super().__init__("too many requests", expected=f"the next one in {retry_after_s} s", remedy="ask less often")
        self.retry_after_s = retry_after_s

    def __reduce__(self) -> tuple[object, ...]:
        """Survive pickling, as all our errors do."""
        return (type(self), (self.retry_after_s,))


_STATUS: tuple[tuple[type[WaferwatchError], HTTPStatus], ...] = (
    (NotFoundError, HTTPStatus.NOT_FOUND),
    (UnauthorizedError, HTTPStatus.UNAUTHORIZED),
    (ForbiddenError, HTTPStatus.FORBIDDEN),
    (TooManyRequestsError, HTTPStatus.TOO_MANY_REQUESTS),
    (StaleAlert, HTTPStatus.CONFLICT),
    (InputError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (RetryableError, HTTPStatus.SERVICE_UNAVAILABLE),
    (WaferwatchError, HTTPStatus.INTERNAL_SERVER_ERROR),
)
"""The first kind that fits decides: special kinds stand before general ones."""
_STATUS_OF_CODE = {
    "wrong-password": HTTPStatus.UNAUTHORIZED,
    "not-vouched-for": HTTPStatus.UNAUTHORIZED,
    "no-role": HTTPStatus.FORBIDDEN,
    "user-disabled": HTTPStatus.FORBIDDEN,
    "too-many-attempts": HTTPStatus.TOO_MANY_REQUESTS,
    "no-such-user": HTTPStatus.NOT_FOUND,
    "no-such-token": HTTPStatus.NOT_FOUND,
    "no-such-alert": HTTPStatus.NOT_FOUND,
    "no-such-silence": HTTPStatus.NOT_FOUND,
    "silence-over": HTTPStatus.CONFLICT,
    "bad-rules": HTTPStatus.UNPROCESSABLE_ENTITY,
    "no-such-job": HTTPStatus.NOT_FOUND,
    "no-such-inspection": HTTPStatus.NOT_FOUND,
    "no-such-version": HTTPStatus.NOT_FOUND,
    "alert-state": HTTPStatus.CONFLICT,
    "champion-changed": HTTPStatus.CONFLICT,
    "job-state": HTTPStatus.CONFLICT,
    "routing-stale": HTTPStatus.CONFLICT,
    "over-quota": HTTPStatus.TOO_MANY_REQUESTS,
    "idempotency-at-work": HTTPStatus.CONFLICT,
    "version-missing": HTTPStatus.PRECONDITION_REQUIRED,
}
"""Errors of the services that are told apart by their code."""


@dataclass(frozen=True, slots=True)
class Problem:
    """An error as the asker sees it: title says what, detail is the whole line; empty parts say nothing."""

    status: int
    code: str
    title: str
    detail: str
    where: str = ""
    expected: str = ""
    got: str = ""
    remedy: str = ""
    retry_after_s: int | None = None


ProblemPage = Callable[[Request, Problem], Response]
"""Draws a problem for people; given by the dashboard, so that the API does not know how pages look."""


def problem_of(error: WaferwatchError | HTTPException) -> Problem:
    """The answer to an error, of ours or of the framework."""
    if isinstance(error, HTTPException):
        detail = str(error.detail)
        return Problem(error.status_code, HTTPStatus(error.status_code).name.lower().replace("_", "-"), detail, detail)
    by_kind = next(status for kind, status in _STATUS if isinstance(error, kind))
    status = _STATUS_OF_CODE.get(error.code, by_kind)
    parts = error.complaint
    again: int | None = getattr(error, "retry_after_s", _RETRY_AFTER_S if isinstance(error, RetryableError) else None)
    return Problem(
        int(status), error.code, parts.what, str(error), parts.where, parts.expected, parts.got, parts.remedy, again
    )


def respond(request: Request, problem: Problem, page: ProblemPage | None) -> Response:
    """A problem as a page for browsers outside /api, as JSON for everybody else."""
    wants_page = "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/api/")
    if page is not None and wants_page:
        response = page(request, problem)
    else:
        parts = {**asdict(problem), "request_id": current_request_id()}
        body = {key: value for key, value in parts.items() if value not in ("", None)}
        response = JSONResponse({"type": "about:blank", **body}, problem.status, media_type=MEDIA_TYPE)
    if problem.retry_after_s is not None:
        response.headers["Retry-After"] = str(problem.retry_after_s)
    if problem.status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def handle_errors(app: FastAPI, page: ProblemPage | None) -> None:
    """Install the one place where exceptions become answers."""

    async def ours(request: Request, error: Exception) -> Response:
        assert isinstance(error, WaferwatchError)
        problem = problem_of(error)
        if isinstance(error, ExhaustedError):
            request.app.state.wiring.metrics.exhausted(error.resource.value)
        if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            _log.warning("%s %s: %s", request.method, request.url.path, error)
        return respond(request, problem, page)

    async def system(request: Request, error: Exception) -> Response:
        exhausted = exhaustion_in(error, request.url.path)
        if exhausted is None:
            raise error
        return await ours(request, exhausted)

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if exhausted := exhaustion_in(error.__cause__, request.url.path):  # the framework calls it a bad request
            return await ours(request, exhausted)
        response = respond(request, problem_of(error), page)
        response.headers.update(error.headers or {})
        return response

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return respond(request, problem_of(_first_complaint(error)), page)

    app.add_exception_handler(WaferwatchError, ours)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, invalid)
    for kind in (OSError, MemoryError):
        app.add_exception_handler(kind, system)


class LastResort:
    """Answers what nobody foresaw with 500; the log has the traceback under the request's id, the answer has not."""

    def __init__(self, app: ASGIApp, page: ProblemPage | None) -> None:
        self.app = app
        self.page = page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything through, watching whether an answer was begun."""
        began = False

        async def watching(message: Message) -> None:
            nonlocal began
            began = began or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, watching)
        except Exception:
            if scope["type"] != "http" or began:
                raise
            request = Request(scope)
            _log.exception("%s %s: unforeseen", request.method, request.url.path)
            detail = "something unforeseen happened; the service's log has it under the id of this request"
            problem = Problem(500, "unforeseen", "unforeseen error", detail)
            await respond(request, problem, self.page)(scope, receive, send)


def _first_complaint(error: RequestValidationError) -> InputError:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return InputError("bad request", where=where, expected=first["msg"], got=repr(first.get("input"))[:80])
