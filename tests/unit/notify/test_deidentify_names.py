"""The requester's name and number, however they are written; and ordinary questions, which are never refused."""

from __future__ import annotations

import pytest

from services.notify.domain.deidentify import telling
from services.notify.domain.deidentify.letters import spellings

NUMBER = "+18015550142"

ORDINARY = [
    "May I step in when they have been drinking?",
    "Will drinks after the shift make it worse?",
    "Nightmares since 2019, worse in May and on 4 May. Is a weekly call enough?",
    "How do I mark the day of the death with the family?",
    "They rose early and could not sleep again. What would help?",
    "There's a long wait for the clinic. Is there, there's a question, anything sooner?",
    "Just in case: what do I do when they cry?",
    "How smart in your view is it to go back to work this soon?",
    "They lost hope. Young officers go through this, but is it more?",
    "Do so many night shifts and an old injury explain the anger?",
    "I believe in grace and in law, and will tell them so.",
    'They say: "It is what it is." How do I answer?',
    "The king of the house, they call him. He hits the wall at night.",
    "A price has to be paid, they say. Is that a sign of danger?",
    "After the fire the smell of wood stays with them. Is that normal?",
    "Half of the unit is out sick. How do I keep them from going back too early?",
    "Is thirty, forty minutes of rest after a long night enough?",
    "They had two or three bad nights, then five good ones, then one or two bad ones.",
    "Don't they have a right to a second opinion? They won't ask.",
    "This is the first time that they bill overtime to be away from home. Worrying?",
    "They only sleep at home, at work they are at rest. At what point do I worry?",
    "The badge was taken from them and one day later the car. How do I speak of the loss?",
    "Their faith helps, but the church does not know. Who could they see?",
    "His wife and their son say that nobody should know. Can it stay anonymous?",
    "They drew a gun in a dream. Should I be frank with them?",
    "Little by little they close the door on friends. What now?",
    "¿Será que las flores y la luz del mar le dan paz?",
    "No duerme desde mayo. ¿La soledad le hace beber?",
    "Dice que la guerra le dejó dolores y que no le queda esperanza.",
    "¿Puede un ángel de la guarda, la fe, ayudar a quien no cree?",
    "Va a la iglesia los domingos y el lunes no quiere ir al trabajo. ¿Qué hago?",
    "El bebé murió y en casa nadie habla de eso. ¿Cómo empiezo?",
    "Le cuesta estar en la calle, y de noche ve la sangre del niño. ¿Es urgente?",
    "¿Y si al llegar a casa no le dice nada a nadie? Lo ha dicho dos o tres veces.",
]
NAMES = [
    "May Long",
    "Will Young",
    "Rose King",
    "Grace Law",
    "Mark Price",
    "Hope Little",
    "Faith Wood",
    "Bill Frank",
    "Drew Day",
    "Theresa Martin",
    "Andrew Justin",
    "Don Won",
    "Kim Ng",
    "An Le",
    "Do So",
    "Ha Thi He",
    "Luz Flores",
    "Paz Guerra",
    "Dolores Iglesias",
    "Mar Soledad",
    "Officer Jane Doe, please text",
    "Anonymous, or the wife of J. Roe",
]


def test_the_questions_are_many_and_in_both_languages() -> None:
    assert len(ORDINARY) >= 30
    assert sum("¿" in one or "ó" in one for one in ORDINARY) >= 5


@pytest.mark.parametrize("question", ORDINARY)
def test_an_ordinary_question_is_refused_whatever_the_name_is_to_nobody(question: str) -> None:
    refused = {name: found for name in NAMES if (found := telling(question, (NUMBER, name)))}
    assert refused == {}


@pytest.mark.parametrize(
    ("name", "question"),
    [
        ("Kim Ng", "Ng had a hard night after the shooting."),
        ("Kim Ng", "the ngs do not sleep"),
        ("Kim Ng", "N g does not sleep"),
        ("Anna Smith", "Things are bad between the Smiths, should I step in?"),
        ("Al Jones", "The Joneses drink."),
        ("Anna Smith", "S m i t h does not sleep."),
        ("Anna Smith", "S.m.i.t.h. does not sleep."),
        ("Ana Martinez", "Mar-tinez drinks."),
        ("Ana Martinez", "deputymartinez drinks."),
        ("Kari Sørensen", "Sorensen does not sleep."),
        ("Kari Sørensen", "soerensen does not sleep."),
        ("Michał Nowak", "Michal does not sleep."),
        ("Jürgen Müller", "Mueller drinks."),
        ("Jurgen Mueller", "Müller drinks."),
        ("Björn Weiß", "WEISS drinks."),
        ("Mai Đặng", "Dang drinks."),
        ("Ana Martinez", "M\u0430rtinez drinks."),
        ("Ana Martinez", "\u039cARTINEZ drinks."),
        ("Will Young", "I spoke with Will yesterday."),
        ("Will Young", "Will has stopped talking."),
        ("Will Young", "will's husband called me"),
        ("Will Young", "At home the Youngs fight."),
        ("May Long", "Yesterday May said that she cannot sleep."),
        ("May Long", "May said that she cannot sleep."),
        ("Rose King", "rose does not sleep"),
        ("Rose King", "How do I help Rose?"),
        ("An Le", "Yesterday An Le did not come."),
        ("Luz Flores", "Anoche Luz no durmió."),
        ("Don Won", "I think Don drinks."),
    ],
)
def test_the_requesters_name_is_found_however_it_is_written(name: str, question: str) -> None:
    assert "reach" in telling(question, (NUMBER, name))


@pytest.mark.parametrize("name", ["Ana Lopez", "Will Young"])
def test_every_one_of_several_names_counts(name: str) -> None:
    assert telling("I spoke with Will, and with Ana.", (NUMBER, "", "someone@example.org", name)) == ("reach",)


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("Call eight oh one triple five oh one four two.", "number"),
        ("Call 801 five fifty-five zero one forty-two.", "number"),
        ("double seven five, one hundred, four two four", "number"),
        ("ocho cero uno, cincuenta y cinco, cinco, cero uno cuarenta y dos", "number"),
        ("it ends in oh one forty-two", "reach"),
        ("termina en cero uno cuarenta y dos", "reach"),
        ("badge forty two twelve", "badge"),
        ("badge number is twelve", "badge"),
        ("placa numero cuarenta y dos", "badge"),
        ("jdoe at gmail dot com", "mail"),
        ("jdoe at gmail", "mail"),
        ("jdoe arroba hotmail", "mail"),
    ],
)
def test_numbers_and_addresses_in_words_are_found(question: str, kind: str) -> None:
    assert kind in telling(question, (NUMBER, "Jane Doe"))


def test_two_dots_may_be_written_as_an_e() -> None:
    assert spellings("mueller") & spellings("muller")
    assert spellings("sue") == {"sue"}
