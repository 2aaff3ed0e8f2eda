"""Every error is a problem document with resources, and holds nothing of what was sent."""

import logging
from collections.abc import AsyncIterator, Mapping

import pytest
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse

from shared.errors import Problem, Refused
from shared.http import foundation, problems
from shared.http.limits import CONTENT_SECURITY_POLICY
from tests.unit.shared.asgi import Answer, as_json, call

CANARY = "Canary-7f3a"
LINES: list[dict[str, object]] = [{"name": "988", "call": "988"}]


class Wish(BaseModel):
    model_config = ConfigDict(extra="forbid")
    count: int


class Body(BaseModel):
    wishes: list[Wish]


class Gone(OSError):
    """As a refused connection."""


def application() -> FastAPI:
    app = FastAPI()

    @app.post("/ask/{number}")
    async def ask(number: int, body: Body) -> dict[str, int]:
        return {"number": number, "wishes": len(body.wishes)}

    @app.get("/fails/{how}")
    async def fails(how: str) -> None:
        match how:
            case "refused":
                raise Refused("not-now", 409, (Problem("/a", "b"),), retry_after=7, extra={"held": 1, "type": CANARY})
            case "database":
                raise Gone(CANARY)
            case "pool":
                raise TimeoutError
            case "group":
                raise ExceptionGroup(CANARY, [Gone(CANARY)])
            case "model":
                Wish.model_validate({"count": CANARY})
            case _:
                raise RuntimeError(CANARY)

    @app.get("/begun")
    async def begun() -> Response:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"first"
            raise RuntimeError(CANARY)

        return StreamingResponse(chunks())

    foundation(app, resources=lambda _: LINES)
    return app


async def answered(path: str, method: str = "GET") -> Answer:
    return await call(application(), method, path)


@pytest.mark.parametrize(
    ("path", "method", "status", "slug"),
    [
        ("/fails/refused", "GET", 409, "not-now"),
        ("/fails/database", "GET", 503, "unavailable"),
        ("/fails/pool", "GET", 503, "unavailable"),
        ("/fails/group", "GET", 503, "unavailable"),
        ("/fails/model", "GET", 422, "invalid"),
        ("/fails/unforeseen", "GET", 500, "internal"),
        ("/nowhere", "GET", 404, "not-found"),
        ("/fails/refused", "PUT", 405, "method-not-allowed"),
        (f"/ask/{CANARY}", "POST", 422, "invalid"),
    ],
)
async def test_every_error_is_a_problem_with_resources_and_headers(
    path: str, method: str, status: int, slug: str
) -> None:
    answer = await answered(path, method)
    assert (answer.status, answer.json["type"], answer.json["status"]) == (status, f"/problems/{slug}", status)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["resources"] == LINES
    assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert CANARY not in answer.body.decode()


async def test_a_refusal_carries_its_problems_its_pause_and_its_extra() -> None:
    answer = await answered("/fails/refused")
    assert answer.json["errors"] == [{"pointer": "/a", "code": "b"}]
    assert answer.headers["retry-after"] == "7"
    assert answer.json["held"] == 1


async def test_a_missing_database_says_when_to_come_again() -> None:
    assert (await answered("/fails/database")).headers["retry-after"] == str(problems.RETRY_AFTER_S)


async def test_a_wrong_method_says_which_are_right() -> None:
    assert (await answered("/fails/refused", "PUT")).headers["allow"] == "GET"


@pytest.mark.parametrize(
    ("sent", "errors"),
    [
        ({"wishes": [{"count": CANARY}]}, [{"pointer": "/wishes/0/count", "code": "int_parsing"}]),
        ({"wishes": [{"count": 1, CANARY: 1}]}, [{"pointer": "/wishes/0", "code": "extra_forbidden"}]),
        ({CANARY: 1}, [{"pointer": "/wishes", "code": "missing"}]),
    ],
)
async def test_a_bad_body_is_told_by_pointer_and_code(sent: object, errors: object) -> None:
    answer = await call(application(), "POST", "/ask/1", **as_json(sent))
    assert answer.status == 422
    assert answer.json["errors"] == errors
    assert CANARY not in answer.body.decode()


@pytest.mark.parametrize("body", [b'{"Canary-7f3a', b"\xff\xfe", b"[" * 20_000])
async def test_what_is_no_json_is_refused_without_an_echo(body: bytes) -> None:
    answer = await call(application(), "POST", "/ask/1", body=body, headers={"Content-Type": "application/json"})
    assert answer.status in {400, 422}
    assert CANARY not in answer.body.decode()


async def test_a_bad_path_parameter_is_named_as_such() -> None:
    answer = await call(application(), "POST", f"/ask/{CANARY}", **as_json({"wishes": []}))
    assert answer.json["errors"] == [{"pointer": "/path/number", "code": "int_parsing"}]


async def test_the_log_names_class_and_place_and_never_the_message(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        await answered("/fails/unforeseen")
    assert "RuntimeError" in caplog.text
    assert "test_problems.py" in caplog.text
    assert CANARY not in caplog.text


async def test_an_answer_that_has_begun_is_cut_off_without_a_second_one(caplog: pytest.LogCaptureFixture) -> None:
    answer = await answered("/begun")
    assert (answer.status, answer.body) == (200, b"first")
    assert CANARY not in caplog.text


async def test_resources_that_cannot_be_named_do_not_hide_the_answer() -> None:
    def broken(_: Request) -> list[dict[str, object]]:
        raise KeyError(CANARY)

    app = FastAPI()
    foundation(app, resources=broken)
    answer = await call(app, "GET", "/nowhere")
    assert (answer.status, "resources" in answer.json) == (404, False)


async def test_a_door_for_machines_has_no_resources() -> None:
    app = FastAPI()
    foundation(app)
    assert set((await call(app, "GET", "/nowhere")).json) == {"type", "title", "status"}


async def test_a_page_may_show_a_problem_to_a_browser() -> None:
    def page(request: Request, document: Mapping[str, object]) -> Response | None:
        wanted = "text/html" in request.headers.get("accept", "")
        return HTMLResponse(f"<p>{document['title']}</p>", status_code=404) if wanted else None

    app = FastAPI()
    foundation(app, resources=lambda _: LINES, page=page)
    shown = await call(app, "GET", "/nowhere", headers={"Accept": "text/html"})
    assert (shown.status, shown.body) == (404, b"<p>Not found</p>")
    assert (await call(app, "GET", "/nowhere")).json["status"] == 404


def test_a_thousand_problems_are_named_and_the_rest_is_counted() -> None:
    many = tuple(Problem(f"/{row}", "missing") for row in range(1200))
    document = problems.document_of(Refused("invalid", 422, many))
    assert document["more"] == 200


def test_a_pointer_is_escaped() -> None:
    assert problems.pointer_to(("body", "a/b", 0, "c~d")) == "/a~1b/0/c~0d"


def test_the_key_of_a_map_is_not_told() -> None:
    assert problems.pointer_to(("body", "factors", CANARY, "[key]")) == "/factors"
