"""`/m/`, `/w/` and `/p/{token}`: an offer, the peer's case, a crisis page. A PIN first, then what can be answered."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.notify.actions.desk import Answered, Denied, Shown
from services.notify.actions.sending import PATHS
from services.notify.domain import pins
from services.notify.domain.intents import Purpose
from services.notify.domain.matters import CONFIRMED_FIRST, FORWARD, KIND_OF, VERBS, Word
from services.notify.routes.look import Look, one, wanted_language
from shared.http.forms import read_form
from shared.http.tracing import work_of

ANSWER, SURE = "answer", "sure"


@dataclass(frozen=True)
class _Place:
    """The page of one link, for one request."""

    look: Look
    request: Request
    purpose: Purpose
    token: str

    @property
    def here(self) -> str:
        return self.look.path(PATHS[self.purpose], self.token)

    @property
    def session(self) -> str:
        return self.look.cookie.read(self.request) or ""

    @property
    def language(self) -> str:
        return wanted_language(self.request)

    @property
    def pin_nonce(self) -> str:
        return self.look.nonce(self.token, f"pin:{self.purpose}")

    def asking(self, told: str | None = None, status: HTTPStatus = HTTPStatus.OK) -> Response:
        """The form for the PIN: the same for every link, whatever is behind it."""
        return self.look.page(
            "pin", language=self.language, status=status, told=told, here=self.here, pin_nonce=self.pin_nonce
        )

    def gone(self) -> Response:
        return self.look.note("gone", language=self.language, status=HTTPStatus.NOT_FOUND)

    def shown(self, shown: Shown, session: str, status: HTTPStatus = HTTPStatus.OK) -> Response:
        told = {"case": "ask_assignment", "page": "ask_page"}.get(self.purpose, "ask")
        return self.look.page(
            "matter",
            language=shown.language,
            status=status,
            told=told if shown.view.told == "ask" else shown.view.told,
            shown=shown,
            here=self.here,
            answer_nonce=self.look.nonce(session, ANSWER),
            pin_nonce=self.pin_nonce,
            forward=FORWARD,
            again=self.purpose == "case"
            and not (shown.reach or shown.they_call or shown.view.waiting)
            and (bool(shown.view.verbs) or shown.view.told == "use_page"),
        )

    def word(self, given: str) -> Word | None:
        return next((verb for verb in VERBS[KIND_OF[self.purpose]] if verb == given), None)


def add(routes: APIRouter, look: Look) -> None:
    """The doors of each purpose. Templates of paths are plain text, so that a list of routes shows every door."""
    for purpose in KIND_OF:
        _add(routes, look, purpose)


def _add(routes: APIRouter, look: Look, purpose: Purpose) -> None:
    first = PATHS[purpose]

    @routes.api_route(f"/{first}/{{token}}", methods=["GET", "HEAD"], name=f"show_{purpose}")
    async def show(request: Request, token: str) -> Response:
        place = _Place(look, request, purpose, token)
        shown = await look.desk.look_settled(purpose, token, place.session) if place.session else None
        return place.shown(shown, place.session) if shown is not None else place.asking()

    @routes.post(f"/{first}/{{token}}", name=f"enter_{purpose}")
    async def enter(request: Request, token: str) -> Response:
        look.slow_down(request, token)
        return await _entered(_Place(look, request, purpose, token))

    @routes.post(f"/{first}/{{token}}/answer", name=f"answer_{purpose}")
    async def answer(request: Request, token: str) -> Response:
        look.slow_down(request, token)
        return await _answered(_Place(look, request, purpose, token))


async def _entered(place: _Place) -> Response:
    fields = await read_form(place.request)
    if not place.look.is_nonce(place.token, f"pin:{place.purpose}", one(fields, "nonce")):
        return place.asking("again", HTTPStatus.FORBIDDEN)
    pin = one(fields, "pin")
    if not pins.well_formed(pin):
        return place.asking("pin_shape", HTTPStatus.UNPROCESSABLE_ENTITY)
    entered = await place.look.desk.enter(place.purpose, place.token, pin)
    if isinstance(entered, Denied):
        if entered.why == "gone":
            return place.gone()
        return place.asking(f"pin_{entered.why}", HTTPStatus.FORBIDDEN)
    work_of(place.request).tag_case(entered.shown.case_id)
    # How to reach somebody is shown in this one answer only; everything else by the page of the session.
    response: Response = (
        place.shown(entered.shown, entered.session)
        if place.purpose == "case"
        else RedirectResponse(place.here, HTTPStatus.SEE_OTHER)
    )
    place.look.cookie.put(response, entered.session)
    return response


async def _answered(place: _Place) -> Response:
    fields = await read_form(place.request)
    session, sure = place.session, one(fields, "sure") == "yes"
    if not session or not place.look.is_nonce(session, SURE if sure else ANSWER, one(fields, "nonce")):
        return place.asking("again", HTTPStatus.FORBIDDEN)
    verb = place.word(one(fields, "verb"))
    if verb is None:
        return place.asking("again", HTTPStatus.UNPROCESSABLE_ENTITY)
    if verb in CONFIRMED_FIRST and not sure:
        nonce = place.look.nonce(session, SURE)
        return place.look.page("sure", language=place.language, here=place.here, sure_nonce=nonce, verb=verb)
    work = work_of(place.request)
    answered = await place.look.desk.answer(place.purpose, place.token, session, verb, traceparent=work.traceparent)
    if answered is None:
        return place.asking("again", HTTPStatus.FORBIDDEN)
    work.tag_case(answered.shown.case_id)
    if answered.taken:
        return RedirectResponse(place.here, HTTPStatus.SEE_OTHER)
    return _already(place, answered)


def _already(place: _Place, answered: Answered) -> Response:
    """An answer that did not count: handled already, or what it was about is over."""
    told = answered.shown.view.told
    over = told in {"covered", "too_late", "ended"}
    return place.look.note(told if over else "handled", language=answered.shown.language, status=HTTPStatus.CONFLICT)
