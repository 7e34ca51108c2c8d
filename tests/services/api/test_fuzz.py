"""Whatever is sent to any operation, the answer is one the description promises: never a crash, never a surprise.

Cases are made from the description itself, some that fit it and some that do not, against a service with one of
everything. `WAFERWATCH_TEST_FUZZ_CASES` makes more of them for each operation.
"""

import os
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode, checks
from schemathesis.core.failures import FailureGroup

from services.access.roles import Role
from services.api.guards import SAFE_METHODS
from tests.services.access.people import token_for
from tests.services.api.conftest import Serve
from tests.services.api.filling import Filled, fill
from tests.services.conftest import MakeBundle

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
CASES = int(os.environ.get("WAFERWATCH_TEST_FUZZ_CASES", "12"))
CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
"""Of every answer; of one that was done also that what was sent may be done. Not that whatever fits is accepted: no
schema knows which cursors, versions and names there are."""
ENDLESS = {"/api/v1/events"}
PATIENCE_S = 120.0


def described(filled: Filled, headers: dict[str, str]) -> dict[str, Any]:
    """The description without its door, which has a test of its own here."""
    document: dict[str, Any] = filled.service.client.get("/api/v1/openapi.json", headers=headers).json()
    del document["components"]["securitySchemes"]
    for operations in document["paths"].values():
        for operation in operations.values():
            operation.pop("security", None)
    return document


@dataclass
class Prober:
    """Sends cases to a service and keeps what was odd about the answers.

    Attributes:
        url: of the service.
        headers: who asks.
        there: what exists, by the name of the parameter.
        seen: how often a kind of case got a kind of answer.
        complaints: the first of each kind for each operation.
    """

    url: str
    headers: dict[str, str]
    there: dict[str, list[Any]]
    seen: Counter[str] = field(default_factory=Counter)
    complaints: dict[tuple[str, str], str] = field(default_factory=dict)

    def probe(self, operation: Any, mode: GenerationMode) -> None:
        """Send an operation its cases."""

        @settings(
            max_examples=CASES, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(case=operation.as_strategy(generation_mode=mode), data=st.data())
        def send(case: Any, data: st.DataObject) -> None:
            if mode is GenerationMode.POSITIVE:
                self._make_worthwhile(case, data)
            self._send(case, mode)

        send()

    def _make_worthwhile(self, case: Any, data: st.DataObject) -> None:
        if "wait" in (case.query or {}):
            case.query["wait"] = 0  # nobody inspects here
        for name in sorted(set(case.path_parameters or {}) & set(self.there)):
            if data.draw(st.booleans()):
                case.path_parameters[name] = data.draw(st.sampled_from(self.there[name]))

    def _send(self, case: Any, mode: GenerationMode) -> None:
        answer = case.call(base_url=self.url, headers=self.headers, timeout=PATIENCE_S)
        self.seen[f"{mode.value} {answer.status_code // 100}xx"] += 1
        was_done = answer.status_code < 400 and "idempotency-replayed" not in answer.headers
        try:
            case.validate_response(answer, checks=CHECKS + ([checks.negative_data_rejection] if was_done else []))
        except FailureGroup as group:
            for failure in group.exceptions:
                self.complaints.setdefault((case.operation.label, failure.title), str(group)[:3000])


def test_every_answer_is_one_that_was_promised(serve: Serve, make_bundle: MakeBundle, tmp_path: Path) -> None:
    filled = fill(serve, make_bundle, tmp_path, host="0.0.0.0", requests_per_minute=10**6)
    service = filled.service
    admin, viewer = (
        {"Authorization": f"Bearer {token_for(service.database, role)}"} for role in (Role.ADMIN, Role.VIEWER)
    )
    there = {
        "alert_id": [1, 2, 4],
        "inspection_id": [filled.inspection_id],
        "job_id": [filled.queued, filled.quarantined],
        "number": [1],
        "version": ["2", "3"],
        "silence_id": [1],
    }
    prober = Prober(service.url, admin, there)
    operations = [found.ok() for found in schemathesis.openapi.from_dict(described(filled, admin)).get_all_operations()]
    assert len(operations) > 40
    for operation in operations:
        if operation.path in ENDLESS:
            continue
        prober.probe(operation, GenerationMode.POSITIVE)
        try:
            prober.probe(operation, GenerationMode.NEGATIVE)
        except Unsatisfiable:  # nothing can be wrong about it: it takes any text, or nothing
            assert not operation.body
    assert prober.complaints == {}, "\n\n".join(prober.complaints.values())
    assert prober.seen["positive 2xx"] > len(operations), "what fits reaches the code behind the door"
    assert prober.seen["negative 4xx"] > len(operations)

    for operation in operations:
        method, path = operation.method.upper(), re.sub(r"\{[^}]*\}", "1", operation.path)
        if path != "/healthz":
            assert service.client.request(method, path).status_code == 401, operation.label
        if method not in SAFE_METHODS:
            assert service.client.request(method, path, headers=viewer).status_code == 403, operation.label
