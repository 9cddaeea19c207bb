"""Schemathesis: what the description allows, and what it doesn't, never meets a fault of ours."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, settings
from schemathesis import checks

from yinshi.apps.web import limits
from yinshi.apps.web.routes import router
from yinshi.writing import order

#: Two drafts are searched as 256 are, only faster; the sizes' own bounds have tests of their own.
SMALL = {
    "count": (2, limits.COUNT),
    "candidates": (2, limits.CANDIDATES),
    "max_length": (24, limits.MAX_LENGTH),
}

description = FastAPI()
description.include_router(router)
REFUSED = {"negative_data_rejection": {"expected-statuses": [404, 405, 413, 422]}}
schema = schemathesis.openapi.from_dict(
    description.openapi(), config=schemathesis.Config.from_dict({"checks": REFUSED})
)


@pytest.fixture(scope="module", autouse=True)
def few_drafts() -> Iterator[None]:
    """Where none are asked for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(order, "CANDIDATES", 2)
        yield


def test_what_is_served_is_described_so(api: httpx.Client) -> None:
    served, described = api.get("/openapi.json").json(), description.openapi()
    assert served["paths"] == described["paths"]
    assert served["components"] == described["components"]


@schema.parametrize()
@settings(
    max_examples=30,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
def test_no_request_meets_a_fault_of_ours(case: schemathesis.Case, address: str) -> None:
    if isinstance(case.body, dict):
        for name, (small, most) in SMALL.items():
            if isinstance(asked := case.body.get(name), int) and small < asked <= most:
                case.body[name] = small
    # A schema can't say which wishes collide: what it accepts may be refused, in one line.
    case.call_and_validate(base_url=address, excluded_checks=[checks.positive_data_acceptance])
