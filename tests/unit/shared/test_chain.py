"""The chain over audit entries: what goes into a hash, and which entry is told as the first bad one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

import pytest

from shared import chain
from shared.chain import Bad, Entry, Head, Link, Walk

AGENCY, OTHER = UUID(int=1), UUID(int=2)
AT = datetime(2026, 7, 1, 12, 0, 0, 123456, tzinfo=UTC)
Rows = list[tuple[Link, Entry | None]]


def entry(number: int, agency: UUID = AGENCY) -> Entry:
    return Entry(number, 1000 + number, agency, AT, None, "case_begun", UUID(int=number), None)


def whole(*numbers: int, agency: UUID = AGENCY) -> Rows:
    entries = [entry(number, agency) for number in numbers]
    return list(zip(chain.linked("intake", {}, entries), entries, strict=True))


def bad(rows: Sequence[tuple[Link, Entry | None]], marks: dict[UUID, dict[int, bytes]] | None = None) -> list[Bad]:
    walk = Walk("intake", marks or {})
    return [*walk.page(rows), *walk.end()]


def test_a_whole_chain_has_nothing_bad_and_each_agency_its_own() -> None:
    rows = whole(1, 3, 5) + whole(2, 4, agency=OTHER)
    assert bad(rows) == []
    assert [link.seq for link, _ in rows] == [1, 2, 3, 1, 2]


def test_a_chain_goes_on_behind_its_head_whatever_pages_it_comes_in() -> None:
    walk, rows = Walk("intake"), whole(1, 2, 3, 4)
    assert [*walk.page(rows[:1]), *walk.page(rows[1:3]), *walk.page(rows[3:])] == []
    more = chain.linked("intake", walk.heads, [entry(5)])
    assert (more[0].seq, more[0].prev) == (5, rows[-1][0].hash)


CHANGES: dict[str, Any] = {
    "audit_id": 9,
    "xid": 9,
    "agency_id": OTHER,
    "at": AT + timedelta(microseconds=1),
    "actor": UUID(int=9),
    "act": "case_closed",
    "subject": None,
    "cause": UUID(int=9),
}


@pytest.mark.parametrize("name", [one.name for one in fields(Entry)])
def test_a_change_of_any_field_is_told(name: str) -> None:
    rows = whole(1, 2, 3)
    link, kept = rows[1]
    assert kept is not None
    rows[1] = link, replace(kept, **{name: CHANGES[name]})
    assert bad(rows) == [Bad("intake", AGENCY, 2, 2, "edited")]


def deleted(rows: Rows) -> Rows:
    return [rows[0], (rows[1][0], None), *rows[2:]]


def unlinked(rows: Rows) -> Rows:
    return [rows[0], *rows[2:]]


def swapped(rows: Rows) -> Rows:
    (first, one), (second, two) = rows[1], rows[2]
    return [rows[0], (replace(second, seq=2), two), (replace(first, seq=3), one), *rows[3:]]


def moved_up(rows: Rows) -> Rows:
    return [rows[0], *((replace(link, seq=link.seq - 1), one) for link, one in rows[2:])]


@pytest.mark.parametrize(
    ("tamper", "expected"),
    [
        (deleted, Bad("intake", AGENCY, 2, 2, "deleted")),
        (unlinked, Bad("intake", AGENCY, 2, None, "missing")),
        (swapped, Bad("intake", AGENCY, 2, 3, "reordered")),
        (moved_up, Bad("intake", AGENCY, 2, 3, "reordered")),
    ],
)
def test_the_first_bad_entry_is_told_and_no_other(tamper: Callable[[Rows], Rows], expected: Bad) -> None:
    assert bad(tamper(whole(1, 2, 3, 4))) == [expected]


def test_another_agencys_chain_is_judged_by_itself() -> None:
    assert bad([*deleted(whole(1, 2, 3)), *whole(4, agency=OTHER)]) == [Bad("intake", AGENCY, 2, 2, "deleted")]


def marks(rows: Rows, *seqs: int) -> dict[UUID, dict[int, bytes]]:
    return {AGENCY: {link.seq: link.hash for link, _ in rows if link.seq in seqs}}


def test_a_tail_that_was_cut_is_whole_without_an_anchor_and_cut_with_one() -> None:
    rows = whole(1, 2, 3, 4)
    assert bad(rows[:2]) == []
    assert bad(rows[:2], marks(rows, 3)) == [Bad("intake", AGENCY, 3, None, "cut")]
    assert bad([], marks(rows, 4)) == [Bad("intake", AGENCY, 1, None, "cut")]


def test_a_chain_that_was_written_anew_is_whole_without_an_anchor_and_rewritten_with_one() -> None:
    kept, anew = whole(1, 2, 3, 4), whole(1, 3, 4)
    assert bad(anew) == []
    assert bad(anew, marks(kept, 1, 3)) == [Bad("intake", AGENCY, 3, 4, "rewritten")]


def test_no_two_entries_have_the_same_bytes_wherever_one_field_ends() -> None:
    ids = [None, uuid4()]
    made = [
        replace(entry(1), act=act, actor=actor, subject=subject, cause=cause)
        for act in ("a", "aa", "")
        for actor in ids
        for subject in ids
        for cause in ids
    ]
    assert len({chain.encoded("intake", 1, one) for one in made}) == len(made)
    assert chain.encoded("intake", 1, entry(1)) != chain.encoded("notify", 1, entry(1))
    assert chain.encoded("intake", 1, entry(1)) != chain.encoded("intake", 2, entry(1))


def test_the_hash_of_a_link_is_the_documented_one() -> None:
    micros = 1_782_907_200_123_456
    fields = (
        *(b"peerline.audit.1", b"intake", AGENCY.bytes, *(n.to_bytes(8, "big") for n in (1, 7, 1007, micros))),
        *(None, b"case_begun", UUID(int=7).bytes, None),
    )
    told = b"".join(b"\xff" * 4 if one is None else len(one).to_bytes(4, "big") + one for one in fields)
    assert chain.link("intake", Head(), entry(7)).hash == sha256(bytes(32) + told).digest()
