"""The doors themselves: problems with resources, limits, foreign and unknown ids, the database gone."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from tests.harness.databases import TestDatabase
from tests.integration.intake_case import front as fronts
from tests.integration.intake_case.front import LINE, Front, hash_of
from tests.unit.shared.asgi import Answer, call

REQUESTS = "/v1/agencies/riverton/requests"


def numbers(answer: Answer) -> set[str]:
    return {one["call"] for one in answer.json["resources"]}


async def test_an_agency_is_shown_with_its_lines(front: Front) -> None:
    answer = await front.json("GET", "/v1/agencies/riverton")
    assert (answer.status, answer.json["slug"], answer.json["jurisdiction"]) == (200, "riverton", "US-UT")
    assert numbers(answer) == {"988", "911", "1-800-267-5463", LINE}


async def test_an_unknown_agency_has_the_lines_for_everybody(front: Front) -> None:
    for method, path in (("GET", "/v1/agencies/nowhere"), ("GET", "/v1/agencies/nowhere/notice?relation=officer")):
        answer = await front.json(method, path)
        assert (answer.status, numbers(answer)) == (404, {"988", "911", "1-800-267-5463"})
    assert (await front.ask(front.code(), slug="nowhere")).status == 404


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PATCH", REQUESTS, 405),
        ("GET", "/v1/nothing", 404),
        ("GET", "/v1/case", 401),
        ("GET", "/v1/agencies/riverton/notice?relation=chief", 422),
    ],
)
async def test_every_no_carries_the_lines(front: Front, method: str, path: str, status: int) -> None:
    answer = await front.json(method, path)
    assert answer.status == status
    assert "988" in numbers(answer)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_body_too_large_is_refused_with_the_lines(front: Front) -> None:
    await front.json("GET", "/v1/agencies/riverton")
    answer = await call(front.app, "POST", REQUESTS, headers=fronts.JSON, body=b"{" + b" " * 40_000 + b"}")
    assert (answer.status, numbers(answer) >= {"988", LINE}) == (413, True)


async def test_a_problem_names_the_place_and_never_the_value(front: Front) -> None:
    answer = await front.ask(front.code(), relation="canary-chief", canary_field="canary-value")
    assert answer.status == 422
    assert {"pointer": "/relation", "code": "enum"} in answer.json["errors"]
    assert b"canary" not in answer.body


async def test_an_unknown_code_is_a_404_like_any_other(front: Front) -> None:
    code, _ = await front.begun()
    await front.json("DELETE", "/v1/case", code=code)
    answers = [await front.json("GET", "/v1/case", code=one) for one in (code, front.code(), "short", hash_of(code))]
    assert {one.status for one in answers} == {404}
    assert len({one.body for one in answers}) == 1


async def test_an_agencys_key_or_slug_is_no_code(front: Front) -> None:
    await front.ask(front.code())
    for secret in (front.key, "riverton"):
        assert (await front.json("GET", "/v1/case", code=secret)).status == 404


async def test_a_post_needs_an_idempotency_key(front: Front) -> None:
    code, _ = await front.begun()
    answer = await front.json("POST", "/v1/case/close", code=code)
    assert (answer.status, answer.json["type"]) == (400, "/problems/idempotency-key-missing")


async def test_an_answer_is_kept_by_nobody(front: Front) -> None:
    code, _ = await front.begun()
    answer = await front.json("GET", "/v1/case", code=code)
    assert (answer.headers["cache-control"], answer.headers["referrer-policy"]) == ("no-store", "no-referrer")


async def test_too_many_requests_leave_room_for_an_emergency(database: TestDatabase, tmp_path: Path) -> None:
    async with fronts.opened(database, tmp_path, requests_per_source=2) as front:
        answers = [await front.ask(front.code()) for _ in range(3)]
        assert [one.status for one in answers] == [201, 201, 429]
        assert int(answers[-1].headers["retry-after"]) > 0
        assert "988" in numbers(answers[-1])
        assert (await front.ask(front.code(), urgency="emergency")).status == 201


async def test_wrong_codes_are_slowed_and_a_right_one_is_not(database: TestDatabase, tmp_path: Path) -> None:
    async with fronts.opened(database, tmp_path, wrong_codes_per_source=2) as front:
        code, _ = await front.begun()
        tried = [(await front.json("GET", "/v1/case", code=front.code())).status for _ in range(3)]
        assert tried == [404, 404, 429]
        assert (await front.json("GET", "/v1/case", code=code)).status == 200


async def test_without_the_database_the_lines_are_still_there(front: Front) -> None:
    await front.json("GET", "/v1/agencies/riverton")
    await front.db.close()
    answer = await front.ask(front.code())
    assert (answer.status, LINE in numbers(answer)) == (503, True)
    assert answer.headers["retry-after"]


async def test_the_api_describes_itself_without_anybody_elses_help(front: Front) -> None:
    described = await front.json("GET", "/openapi.json")
    assert REQUESTS.replace("riverton", "{slug}") in described.json["paths"]
    page = await front.json("GET", "/docs")
    assert page.status == 200
    assert b"<script" not in page.body


async def test_health_is_answered(front: Front) -> None:
    answers: list[Any] = [(await front.json("GET", f"/health/{name}")).status for name in ("live", "ready")]
    assert answers == [200, 200]


async def test_an_agencys_uploads_leave_room_for_the_requests_of_others(front: Front) -> None:
    def people(version: int) -> dict[str, object]:
        listed = [{"person_ref": f"p{n}", "role": "member", "name": f"N{n} v{version}"} for n in range(2000)]
        return {"people": listed}

    def upload(version: int, **condition: str) -> Coroutine[Any, Any, Answer]:
        return front.json("PUT", "/v1/agency/directory", people(version), code=front.key, **condition)

    await upload(0, If_None_Match="*")
    uploads = [asyncio.create_task(upload(n, If_Match="*")) for n in range(1, 9)]
    answers = []
    while not all(one.done() for one in uploads):
        answers.append((await front.ask(front.code())).status)
    assert set(answers) == {201}
    assert {one.result().status for one in uploads} == {200}
