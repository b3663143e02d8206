"""Schemathesis asks the API what nobody would, through the guard: it answers as it says it does."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from screens import Screen, commands_in

from litehedge.ui import api

EXAMPLES = 12
"""For each operation, with requests as described and with others."""


@pytest.fixture
def headers(screen: Screen):
    token = screen.door.make_token("schema", "command")
    return {"Host": screen.host, "Authorization": f"Bearer {token}"}


@pytest.fixture
def schema(screen: Screen, headers):
    return schemathesis.openapi.from_asgi(
        f"{api.AT}/openapi.json", screen.app, headers=dict(headers)
    )


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.name)
def test_it_answers_as_it_says(schema, headers, mode):
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) == 15
    seen: set[int] = set()
    for operation in operations:

        @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy(generation_mode=mode))
        def answers(case):
            if mode is GenerationMode.POSITIVE and "name" in case.path_parameters:
                case.path_parameters["name"] = "paper"  # else nearly all of them were 404
            seen.add(case.call_and_validate(headers=dict(headers)).status_code)

        answers()
    assert max(seen) < 500
    assert seen >= ({200, 202} if mode is GenerationMode.POSITIVE else {422})


def test_the_schema_reaches_the_inbox(schema, headers, session):
    """What is tested above is the way to a session, and not an early refusal."""
    case = schema["/sessions/{name}/halt"]["POST"].Case(
        path_parameters={"name": "paper"}, body={}, headers={"Idempotency-Key": "0123456789"}
    )
    assert case.call(headers=dict(headers)).status_code == 202
    assert len(commands_in(session)) == 1
