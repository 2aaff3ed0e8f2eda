"""What an app's OpenAPI document says beyond what FastAPI knows."""

from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import HTMLResponse, JSONResponse

from shared.http.documented import Documented, schema_of


class Part(BaseModel):
    name: str


class Whole(BaseModel):
    kind: Literal["a", "b"]
    parts: list[Part]
    first: Part


async def door(token: str, number: int = 1) -> JSONResponse:
    """What it is for."""
    return JSONResponse({token: number})


def document(*, pages: bool = False) -> dict[str, Any]:
    app = Documented(
        title="Doors",
        tags={"keyed": "With a key.", "open": "Without."},
        parameters={"token": "The secret."},
        bearers={"keyed": "A key."},
        pages=pages,
    )
    routes = APIRouter(default_response_class=HTMLResponse)
    routes.add_api_route("/v1/things/{token}", door, methods=["GET", "HEAD"], tags=["keyed"])
    routes.add_api_route("/v1/some-things/{token}", door, methods=["PUT"], tags=["open"])
    app.include_router(routes)
    return app.openapi()


def test_ids_are_made_of_method_and_path() -> None:
    paths = document()["paths"]
    assert paths["/v1/things/{token}"]["get"]["operationId"] == "get_things_token"
    assert paths["/v1/some-things/{token}"]["put"]["operationId"] == "put_some_things_token"


def test_a_page_that_answers_head_as_well_is_described_once() -> None:
    assert list(document()["paths"]["/v1/things/{token}"]) == ["get"]


def test_every_refusal_is_a_problem_document_and_none_is_fastapis_own() -> None:
    made = document()
    answers = made["paths"]["/v1/things/{token}"]["get"]["responses"]
    assert set(answers) == {"200", "default"}
    assert list(answers["default"]["content"]) == ["application/problem+json"]
    assert set(made["components"]["schemas"]) == {"Problem"}


def test_where_there_are_pages_a_browser_gets_one() -> None:
    answers = document(pages=True)["paths"]["/v1/things/{token}"]["get"]["responses"]
    assert set(answers["default"]["content"]) == {"application/problem+json", "text/html"}


def test_the_doors_of_a_tag_say_whose_token_opens_them() -> None:
    made = document()
    assert made["paths"]["/v1/things/{token}"]["get"]["security"] == [{"keyed": []}]
    assert "security" not in made["paths"]["/v1/some-things/{token}"]["put"]
    assert made["components"]["securitySchemes"]["keyed"]["scheme"] == "bearer"


def test_parameters_are_described_by_name_and_an_unknown_one_is_left_for_the_linter() -> None:
    described = {
        one["name"]: one["description"] for one in document()["paths"]["/v1/things/{token}"]["get"]["parameters"]
    }
    assert described == {"token": "The secret.", "number": ""}


def test_the_document_is_made_once() -> None:
    app = Documented(title="Doors", tags={}, parameters={})
    assert app.openapi() is app.openapi()


def test_a_schema_by_hand_refers_to_nothing() -> None:
    made = schema_of(Whole)
    assert "$ref" not in str(made)
    assert made["properties"]["first"]["properties"]["name"]["type"] == "string"
    assert made["properties"]["parts"]["items"]["required"] == ["name"]
