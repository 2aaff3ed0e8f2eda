"""A coordinator at the team's page: the key behind the cookie, what a form has to bring, and the page itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from types import MappingProxyType
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from services.intake.actions import keys, pool, team
from services.intake.actions.keys import Caller
from services.intake.routes import session
from services.intake.routes.ask import Fields, one
from services.intake.routes.desk import source_of
from services.intake.routes.session import Session
from services.intake.routes.sheets import Sheets
from services.intake.routes.speech import local_time
from shared import clock
from shared.errors import Refused
from shared.http.forms import read_form
from shared.http.sessions import SessionCookie
from shared.http.uploads import read_upload

NEEDS = ("directory:read", "directory:write")
NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Opened:
    """A call of somebody who has entered: at whose page, the key behind it, whose that is, a form's fields and file."""

    request: Request
    slug: str
    key: str
    who: Caller
    fields: Fields = field(default_factory=dict)
    file: bytes = b""


Does = Callable[[Opened], Awaitable[Response]]
"""What a form of the page comes to."""


@dataclass(frozen=True)
class Room:
    """The page and its cookie, which is another than that of who asks for support."""

    sheets: Sheets
    cookie: SessionCookie
    words: Mapping[str, Mapping[str, str]]

    def say(self, request: Request) -> Mapping[str, str]:
        """The words of this page."""
        return self.words[self.sheets.language(request)]

    def key(self, request: Request, slug: str) -> str:
        """The key of the session that is open for this agency; "" where none is."""
        secret, value = self.sheets.desk.keyring.derived("team-cookie"), self.cookie.read(request)
        found = session.opened(secret, value, clock.now()) if value else None
        return found.code if found is not None and found.slug == slug else ""

    async def caller(self, slug: str, key: str) -> Caller | None:
        """Whose key it is: one of this agency that may read and write its directory. None for any other."""
        agency = await self.sheets.desk.agency(slug)
        who = await keys.authenticate(self.sheets.desk.db, self.sheets.desk.keyring, key) if key else None
        if who is None or who.agency_id != agency.agency_id or not set(NEEDS) <= who.scopes:
            return None
        return who

    def entrance(self, request: Request, *, status: int = 200, problem: str = "") -> Response:
        """Where a key is entered."""
        problems = [problem] if problem else []
        return self.sheets.page(request, "team_enter.html", status=status, say=self.say(request), problems=problems)

    def refused(self, request: Request) -> Response:
        """A key that opens nothing here, whatever it is: counted, so that nobody tries many."""
        try:
            self.sheets.desk.wrong_code(source_of(request))
        except Refused as counted:
            many = counted.status == HTTPStatus.TOO_MANY_REQUESTS
            problem = self.sheets.words_for(request, counted.slug) if many else self.say(request)["no_key"]
            return self.entrance(request, status=counted.status, problem=problem)

    def again(self, opened: Opened, *, person: str = "") -> Response:
        """The page once more, after something that changed it; of a `person`, where their times stand."""
        return self.entered(opened.slug, opened.fields, opened.key, person=person)

    def entered(self, slug: str, fields: Fields, key: str, *, person: str = "") -> Response:
        """To the page, or to that of a `person`, with this key behind it for a while."""
        chosen = {"ref": person} if person else {}
        if one(fields, "lang"):
            chosen["lang"] = self.sheets.desk.speech.tongue(one(fields, "lang"))
        where = f"/a/{slug}/team{'/person' if person else ''}{'?' if chosen else ''}{urlencode(chosen)}"
        response = RedirectResponse(where + ("#times" if person else ""), HTTPStatus.SEE_OTHER)
        secret = self.sheets.desk.keyring.derived("team-cookie")
        self.cookie.put(response, session.sealed(secret, Session(slug, key), clock.now()))
        return response

    def posts(self, routes: APIRouter, name: str, does: Does, *, needs: str = "") -> None:
        """A form at `/a/{slug}/team/<name>`: the entrance where nobody has entered; 400 for one that is not of ours.

        `needs`: a scope that the key has to have beside those of the page.
        """

        async def post(slug: str, request: Request) -> Response:
            fields = await read_form(request)
            self.sheets.speak(request, await self.sheets.desk.agency(slug), fields)
            key = self.key(request, slug)
            who = await self.caller(slug, key)
            if who is None:
                return self.entrance(request, status=HTTPStatus.UNAUTHORIZED)
            self.sheets.require_nonce(fields, key, f"team:{slug}")
            return await self._done(Opened(request, slug, key, who, fields), does, needs)

        routes.add_api_route(f"/a/{{slug}}/team/{name}", post, methods=["POST"], name=f"team-{name}")

    def uploads(self, routes: APIRouter, name: str, does: Does) -> None:
        """As `posts`, a form with a file; from whoever has not entered nothing is read."""

        async def post(slug: str, request: Request) -> Response:
            agency, key = await self.sheets.desk.agency(slug), self.key(request, slug)
            who = await self.caller(slug, key)
            if who is None:
                self.sheets.speak(request, agency)
                return self.entrance(request, status=HTTPStatus.UNAUTHORIZED)
            fields, file = await read_upload(request)
            self.sheets.speak(request, agency, fields)
            self.sheets.require_nonce(fields, key, f"team:{slug}")
            return await does(Opened(request, slug, key, who, fields, file))

        routes.add_api_route(f"/a/{{slug}}/team/{name}", post, methods=["POST"], name=f"team-{name}")

    async def _done(self, opened: Opened, does: Does, needs: str) -> Response:
        """Whoever has entered with a key that may less reads on the page that it may not this."""
        if needs and needs not in opened.who.scopes:
            problem = self.say(opened.request)["key_may_not"]
            return await self.shown(opened, problem=problem, status=HTTPStatus.FORBIDDEN)
        return await does(opened)

    def gets(self, routes: APIRouter, path: str, does: Does, *, needs: str = "") -> None:
        """A page at `/a/{slug}/team<path>`, or the entrance where nobody has entered; `needs` as for a form."""

        async def get(slug: str, request: Request) -> Response:
            self.sheets.speak(request, await self.sheets.desk.agency(slug))
            key = self.key(request, slug)
            who = await self.caller(slug, key)
            if who is None:
                return self.entrance(request)
            return await self._done(Opened(request, slug, key, who), does, needs)

        routes.add_api_route(f"/a/{{slug}}/team{path}", get, methods=["GET"], name=f"team{path}")

    async def shown(
        self,
        opened: Opened,
        *,
        problem: str = "",
        status: int = HTTPStatus.UNPROCESSABLE_ENTITY,
        told: Mapping[str, str] = NOTHING,
    ) -> Response:
        """The whole page; `told` is what has just come of a form, `status` that of a page with a problem."""
        desk, request, who = self.sheets.desk, opened.request, opened.who
        found = await team.look(desk.db, desk.keyring, agency_id=who.agency_id, actor=who.credential_id)
        lent = await pool.look(desk.db, desk.keyring, agency_id=who.agency_id, actor=who.credential_id)
        spoken = self.sheets.words(request)
        return self.sheets.page(
            request,
            "team.html",
            status=status if problem else HTTPStatus.OK,
            say=self.say(request),
            scopes=who.scopes,
            team=found,
            pool=lent,
            told=told,
            once=clock.token(),
            gaps=[
                (local_time(gap.start, found.agency, spoken), local_time(gap.end, found.agency, spoken))
                for gap in found.coverage.gaps
            ],
            nonce=self.sheets.nonce(opened.key, f"team:{opened.slug}"),
            problems=[problem] if problem else (),
        )
