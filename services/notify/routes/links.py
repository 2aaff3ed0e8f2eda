"""`/m/`, `/w/`, `/p/`, `/c/`, `/r/` and `/t/{token}`: an offer, a case, a page, a question, a referral, a count.

A PIN first, then what can be answered; at a count nothing can.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.notify.actions.desk import Answered, Denied
from services.notify.actions.sending import PATHS
from services.notify.actions.showing import REVEALING, Shown
from services.notify.actions.writing import Said
from services.notify.domain import pins
from services.notify.domain.intents import Purpose
from services.notify.domain.matters import CONFIRMED_FIRST, FORWARD, KIND_OF, OWN_PAGE, VERBS, Word
from services.notify.domain.things import ANSWER_MAX, QUESTION_MAX, RESOURCES, TOPICS
from services.notify.routes.look import Look, one, wanted_language
from shared.http.forms import read_form
from shared.http.tracing import work_of

ANSWER, SURE = "answer", "sure"
LIMITS = {"question": QUESTION_MAX, "answer": ANSWER_MAX}
TEMPLATES: Mapping[Purpose, str] = {
    "offer": "matter",
    "page": "matter",
    "case": "case",
    "consult": "consult",
    "referral": "referral",
    "team": "team",
}


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

    def asking(self, told: str | None = None, status: HTTPStatus = HTTPStatus.OK, *, danger: bool = False) -> Response:
        """The form for the PIN: the same for every link, whatever is behind it."""
        return self.look.page(
            "pin",
            language=self.language,
            status=status,
            told=told,
            here=self.here,
            pin_nonce=self.pin_nonce,
            danger=danger,
        )

    def gone(self) -> Response:
        # Of a count more than one thing may wait, behind a link each.
        told = "team_gone" if self.purpose == "team" else "gone"
        return self.look.note(told, language=self.language, status=HTTPStatus.NOT_FOUND)

    def shown(
        self, shown: Shown, session: str, status: HTTPStatus = HTTPStatus.OK, *, problems: tuple[str, ...] = ()
    ) -> Response:
        told = {"case": "ask_assignment", "page": "ask_page", "consult": "ask_consult", "referral": "ask_referral"}
        view = shown.view
        return self.look.page(
            TEMPLATES[self.purpose],
            language=shown.language,
            status=status,
            told=told.get(self.purpose, "ask") if view.told == "ask" else view.told,
            shown=shown,
            here=self.here,
            answer_nonce=self.look.nonce(session, ANSWER),
            pin_nonce=self.pin_nonce,
            forward=FORWARD,
            own_page=OWN_PAGE,
            problems=problems,
            again=self._again(shown),
            limits=LIMITS,
        )

    def _again(self, shown: Shown) -> bool:
        """Whether the PIN would show more than this page does."""
        if self.purpose not in REVEALING or shown.revealed or shown.view.waiting:
            return False
        return bool(shown.view.verbs) or shown.view.told == "use_page"

    def form(
        self, shown: Shown, verb: Word, status: HTTPStatus = HTTPStatus.OK, problems: tuple[str, ...] = ()
    ) -> Response:
        """The page of an answer that has a form of its own. What was written in it is never shown again."""
        return self.look.page(
            str(verb),
            language=shown.language,
            status=status,
            shown=shown,
            here=self.here,
            verb=verb,
            answer_nonce=self.look.nonce(self.session, ANSWER),
            problems=problems,
            topics=TOPICS,
            kinds=[kind for kind in RESOURCES if kind not in shown.given],
            limits=LIMITS,
        )

    def danger(self, answered: Answered) -> Response:
        """Whom to call now, in the very answer to the button."""
        told = "danger_passed" if answered.taken else "danger_known"
        return self.look.page("danger", language=answered.shown.language, told=told, here=self.here)

    def word(self, given: str) -> Word | None:
        return next((verb for verb in VERBS[KIND_OF[self.purpose]] if verb == given), None)


def add(routes: APIRouter, look: Look) -> None:
    """The doors of each purpose. Templates of paths are plain text, so that a list of routes shows every door."""
    for purpose in TEMPLATES:
        _add_page(routes, look, purpose)
    for purpose in KIND_OF:
        _add_answers(routes, look, purpose)


def _add_page(routes: APIRouter, look: Look, purpose: Purpose) -> None:
    first = PATHS[purpose]

    @routes.api_route(f"/{first}/{{token}}", methods=["GET", "HEAD"], name=f"show_{purpose}")
    async def show(request: Request, token: str) -> Response:
        """The form for the PIN, or within a session what can be answered."""
        place = _Place(look, request, purpose, token)
        shown = await look.desk.look_settled(purpose, token, place.session) if place.session else None
        return place.shown(shown, place.session) if shown is not None else place.asking()

    @routes.post(f"/{first}/{{token}}", name=f"enter_{purpose}")
    async def enter(request: Request, token: str) -> Response:
        """Give the PIN: `nonce`, `pin`. Begins a session; what is sealed is shown in this one answer."""
        look.slow_down(request, token)
        return await _entered(_Place(look, request, purpose, token))


def _add_answers(routes: APIRouter, look: Look, purpose: Purpose) -> None:
    first = PATHS[purpose]

    if purpose == "case":

        @routes.api_route(f"/{first}/{{token}}/{{verb}}", methods=["GET", "HEAD"], name="show_form")
        async def show_form(request: Request, token: str, verb: str) -> Response:
            """The form of an answer that has one of its own."""
            return await _form(_Place(look, request, purpose, token), verb)

    @routes.post(f"/{first}/{{token}}/answer", name=f"answer_{purpose}")
    async def answer(request: Request, token: str) -> Response:
        """Press a button: `nonce`, `verb`, and what its form asks for."""
        fields = await read_form(request)
        # Whoever reports danger is never told to wait, however much comes from the same link or address.
        if one(fields, "verb") != "danger":
            look.slow_down(request, token)
        return await _answered(_Place(look, request, purpose, token), fields)


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
    # What is sealed is shown in this one answer only; everything else by the page of the session.
    response: Response = (
        place.shown(entered.shown, entered.session)
        if place.purpose in REVEALING
        else RedirectResponse(place.here, HTTPStatus.SEE_OTHER)
    )
    place.look.cookie.put(response, entered.session)
    return response


async def _form(place: _Place, given: str) -> Response:
    """A form of its own, by a link: nothing is done, and nothing shown without a session."""
    verb = place.word(given)
    if verb is None or verb not in OWN_PAGE:
        return place.gone()
    shown = await place.look.desk.look(place.purpose, place.token, place.session) if place.session else None
    if shown is None:
        return place.asking()
    if verb not in shown.view.verbs:
        return RedirectResponse(place.here, HTTPStatus.SEE_OTHER)
    return place.form(shown, verb)


async def _answered(place: _Place, fields: Mapping[str, list[str]]) -> Response:
    session, sure = place.session, one(fields, "sure") == "yes"
    verb = place.word(one(fields, "verb"))
    if not session or not place.look.is_nonce(session, SURE if sure else ANSWER, one(fields, "nonce")):
        return place.asking("again", HTTPStatus.FORBIDDEN, danger=verb == "danger")
    if verb is None:
        return place.asking("again", HTTPStatus.UNPROCESSABLE_ENTITY)
    if verb in CONFIRMED_FIRST.get(KIND_OF[place.purpose], ()) and not sure:
        return await _sure(place, session, verb)
    work = work_of(place.request)
    said = Said(verb, text=_lines(one(fields, "text")), to=one(fields, "to"), codes=tuple(fields.get("code", ())))
    answered = await place.look.desk.answer(place.purpose, place.token, session, said, traceparent=work.traceparent)
    if answered is None:
        return place.asking("again", HTTPStatus.FORBIDDEN, danger=verb == "danger")
    work.tag_case(answered.shown.case_id)
    if answered.problems:
        return _wrong(place, answered, verb)
    if verb == "danger":
        return place.danger(answered)
    if answered.taken:
        return RedirectResponse(place.here, HTTPStatus.SEE_OTHER)
    return _already(place, answered)


def _lines(text: str) -> str:
    """As it was written: a browser sends every end of a line as two characters."""
    return text.replace("\r\n", "\n")


async def _sure(place: _Place, session: str, verb: Word) -> Response:
    """Ask once more, in the language of the session."""
    shown = await place.look.desk.look(place.purpose, place.token, session)
    if shown is None:
        return place.asking("again", HTTPStatus.FORBIDDEN)
    nonce = place.look.nonce(session, SURE)
    return place.look.page("sure", language=shown.language, here=place.here, sure_nonce=nonce, verb=verb)


def _wrong(place: _Place, answered: Answered, verb: Word) -> Response:
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    if place.purpose == "consult":
        return place.shown(answered.shown, place.session, status, problems=answered.problems)
    return place.form(answered.shown, verb, status, answered.problems)


def _already(place: _Place, answered: Answered) -> Response:
    """An answer that did not count: handled already, or what it was about is over."""
    told = answered.shown.view.told
    over = told in {"covered", "too_late", "ended"}
    return place.look.note(told if over else "handled", language=answered.shown.language, status=HTTPStatus.CONFLICT)
