"""What people write at a page: a question for advice, and the answer to one. Sealed under the consult's own key."""

from __future__ import annotations

from dataclasses import dataclass

from services.notify.actions import showing
from services.notify.actions.showing import Page
from services.notify.domain.case import Answer
from services.notify.domain.deidentify import telling
from services.notify.domain.matters import Word
from services.notify.domain.things import ANSWER_MAX, QUESTION_MAX, RESOURCES, TOPICS, TOPICS_MAX
from shared import clock, forgetting, vault
from shared.db import Transaction
from shared.vault import Keyring, Subject


@dataclass(frozen=True, repr=False)
class Said:
    """A form as it was sent: the button, and what was written or ticked beside it."""

    verb: Word
    text: str = ""
    to: str = ""
    codes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Problems:
    """Why a form was not taken: keys of `domain.texts`, never what was written."""

    told: tuple[str, ...]


async def sealed(tx: Transaction, keyring: Keyring, page: Page, said: Said) -> Answer | Problems:
    """The answer that this form comes to, with what was written sealed."""
    person, subject, reply = page.link.person, page.link.subject, clock.random_id()
    match said.verb:
        case "advice" if page.link.purpose == "case":
            return await _question(tx, keyring, page, said)
        case "answer" if page.link.purpose == "consult":
            return await _answer(tx, keyring, page, said)
        case "resources":
            kinds = tuple(kind for kind in RESOURCES if kind in said.codes)
            if not kinds:
                return Problems(("choose_one",))
            return Answer(reply, person, subject, said.verb, codes=kinds)
        case _:
            return Answer(reply, person, subject, said.verb)


async def _question(tx: Transaction, keyring: Keyring, page: Page, said: Said) -> Answer | Problems:
    problems = await _wrong(tx, keyring, page, said)
    to = next((one for one in page.matter.advisers if one == said.to), None) if page.matter else None
    if problems or to is None:
        return Problems(problems or ("choose_adviser",))
    consult = clock.random_id()
    keys = await vault.create(tx, keyring, [Subject(page.link.agency_id, "consult", consult)])
    return Answer(
        clock.random_id(),
        page.link.person,
        page.link.subject,
        said.verb,
        sealed=keys[consult].seal("question", said.text.strip().encode()),
        thing=consult,
        to=to,
        codes=tuple(code for code in TOPICS if code in said.codes),
    )


async def _wrong(tx: Transaction, keyring: Keyring, page: Page, said: Said) -> tuple[str, ...]:
    problems = _length(said.text, QUESTION_MAX, "question")
    if len(set(said.codes) & set(TOPICS)) > TOPICS_MAX:
        problems += ("topics_many",)
    reaches = await showing.reaches_of(tx, keyring, page)
    known = [part for reach in reaches for part in (reach.address, reach.name)]
    return problems + tuple(f"leave_out_{kind}" for kind in telling(said.text, known))


def _length(text: str, most: int, what: str) -> tuple[str, ...]:
    if not text.strip():
        return (f"{what}_empty",)
    return (f"{what}_long",) if len(text) > most else ()


async def _answer(tx: Transaction, keyring: Keyring, page: Page, said: Said) -> Answer | Problems:
    problems, consult = _length(said.text, ANSWER_MAX, "answer"), page.own_consult
    if problems:
        return Problems(problems)
    text = None
    if consult is not None:
        keys = await vault.load(tx, keyring, "consult", [consult.consult_id])
        if not keys and consult.waits and consult.kind == "outside_help":
            # Nobody has asked anything in words, so that it has no key yet.
            keys = await vault.create(tx, keyring, [Subject(page.link.agency_id, "consult", consult.consult_id)])
        key = keys.get(consult.consult_id)
        text = key.seal("answer", said.text.strip().encode()) if key else None
    return Answer(clock.random_id(), page.link.person, page.link.subject, said.verb, sealed=text)


async def forgotten(tx: Transaction, answer: Answer) -> None:
    """A question that did not count: its key is destroyed at once."""
    if answer.thing is not None:
        await forgetting.destroy(tx, "consult", [answer.thing])
