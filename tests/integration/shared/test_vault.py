"""Data keys in a real vault: seen by the agencies in view, wrapped, destroyed for ever, written by intake alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from shared import clock, vault
from shared.db import Database
from shared.errors import KeyDestroyed, SealBroken
from shared.types import AgencyId
from shared.vault import DataKey, Keyring, Subject
from tests.harness.databases import Sql, TestDatabase

A, B = AgencyId(clock.random_id()), AgencyId(clock.random_id())


@pytest_asyncio.fixture
async def intake(database: TestDatabase) -> AsyncIterator[Database]:
    async with database.opened("intake") as opened:
        yield opened


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    vault.make_keyring(tmp_path / "keyring")
    return vault.read_keyring(tmp_path / "keyring")


def subject(agency: AgencyId = A, kind: vault.Kind = "case") -> Subject:
    return Subject(agency, kind, clock.random_id())


async def created(db: Database, keyring: Keyring, *subjects: Subject) -> dict[Subject, DataKey]:
    async with db.transaction({one.agency_id for one in subjects}) as tx:
        made = await vault.create(tx, keyring, subjects)
    return {one: made[one.subject_id] for one in subjects}


async def loaded(db: Database, keyring: Keyring, one: Subject, *, seen_by: AgencyId | None = None) -> DataKey | None:
    async with db.transaction({seen_by or one.agency_id}) as tx:
        return (await vault.load(tx, keyring, one.kind, [one.subject_id])).get(one.subject_id)


async def destroyed(db: Database, one: Subject) -> bool:
    async with db.transaction({one.agency_id}) as tx:
        return one in await vault.destroy(tx, one.kind, [one.subject_id])


async def test_what_was_sealed_opens_after_the_key_was_kept_and_loaded(intake: Database, keyring: Keyring) -> None:
    one = subject()
    sealed = (await created(intake, keyring, one))[one].seal("reach", b"801-555-0142")
    key = await loaded(intake, keyring, one)
    assert key is not None
    assert key.open("reach", sealed) == b"801-555-0142"


async def test_no_key_lies_in_the_database_unwrapped(
    intake: Database, keyring: Keyring, database: TestDatabase
) -> None:
    one = subject()
    key = (await created(intake, keyring, one))[one]
    sql = await database.superuser()
    wrapped = await sql.fetchval("SELECT wrapped FROM vault.data_keys")
    await sql.close()
    assert key.key not in wrapped


async def test_another_agency_sees_no_key(intake: Database, keyring: Keyring) -> None:
    one = subject(A)
    await created(intake, keyring, one)
    assert await loaded(intake, keyring, one, seen_by=B) is None


async def test_a_key_row_copied_to_another_subject_does_not_unwrap(
    intake: Database, keyring: Keyring, database: TestDatabase
) -> None:
    one, other = subject(), subject()
    await created(intake, keyring, one, other)
    sql = await database.superuser()
    await sql.execute(
        "UPDATE vault.data_keys t SET wrapped = s.wrapped FROM vault.data_keys s"
        " WHERE t.subject_id = $1 AND s.subject_id = $2",
        other.subject_id,
        one.subject_id,
    )
    await sql.close()
    with pytest.raises(SealBroken):
        await loaded(intake, keyring, other)


async def test_a_destroyed_key_is_gone_for_ever(intake: Database, keyring: Keyring, database: TestDatabase) -> None:
    one, stays = subject(), subject()
    await created(intake, keyring, one, stays)
    assert await destroyed(intake, one)
    assert not await destroyed(intake, one)
    assert await loaded(intake, keyring, one) is None
    assert await loaded(intake, keyring, stays) is not None
    sql = await database.superuser()
    assert await sql.fetchval("SELECT count(*) FROM vault.data_keys WHERE wrapped IS NULL") == 1
    await sql.close()


async def test_a_key_under_legal_hold_is_not_destroyed(
    intake: Database, keyring: Keyring, database: TestDatabase
) -> None:
    one = subject()
    await created(intake, keyring, one)
    sql = await database.superuser()
    await sql.execute("UPDATE vault.data_keys SET held = true")
    await sql.close()
    assert not await destroyed(intake, one)
    assert await loaded(intake, keyring, one) is not None


async def test_the_key_of_another_kind_with_the_same_id_is_another_key(intake: Database, keyring: Keyring) -> None:
    case = subject()
    person = Subject(A, "person", case.subject_id)
    first = (await created(intake, keyring, case))[case]
    second = (await created(intake, keyring, person))[person]
    assert first.key != second.key
    assert await destroyed(intake, person)
    assert await loaded(intake, keyring, case) is not None


async def test_a_generation_that_was_destroyed_opens_nothing_and_an_older_one_still_reads(
    intake: Database, keyring: Keyring
) -> None:
    one = subject()
    await created(intake, keyring, one)
    turned = Keyring({**keyring.generations, 2: b"2" * 32}, keyring.root)
    assert await loaded(intake, turned, one) is not None
    with pytest.raises(KeyDestroyed):
        await loaded(intake, Keyring({2: b"2" * 32}, keyring.root), one)


@pytest.mark.parametrize("kind", ["case", "person"])
async def test_notify_reads_keys_and_cannot_write_them(
    intake: Database, keyring: Keyring, database: TestDatabase, kind: vault.Kind
) -> None:
    one = subject(kind=kind)
    await created(intake, keyring, one)
    async with database.opened("notify") as notify:
        assert await loaded(notify, keyring, one) is not None
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await created(notify, keyring, subject(kind=kind))
        assert not await destroyed(notify, one)
        assert await loaded(notify, keyring, one) is not None


async def test_notify_makes_and_destroys_the_keys_of_consults_alone(keyring: Keyring, database: TestDatabase) -> None:
    one = subject(kind="consult")
    async with database.opened("notify") as notify:
        await created(notify, keyring, one)
        assert await destroyed(notify, one)
        assert await loaded(notify, keyring, one) is None


@pytest.mark.parametrize("service", ["matching", "referral"])
async def test_who_needs_no_keys_has_none(service: str, keyring: Keyring, database: TestDatabase) -> None:
    async with database.opened(service) as db:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await loaded(db, keyring, subject())


async def test_two_destroyers_destroy_once(intake: Database, keyring: Keyring) -> None:
    one = subject()
    await created(intake, keyring, one)
    assert sorted(await asyncio.gather(*(destroyed(intake, one) for _ in range(4)))) == [False, False, False, True]


async def test_a_key_of_an_agency_not_in_view_cannot_be_made(
    intake: Database, keyring: Keyring, database: TestDatabase
) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await smuggled(intake, keyring)
    sql: Sql = await database.superuser()
    assert await sql.fetchval("SELECT count(*) FROM vault.data_keys") == 0
    await sql.close()


async def smuggled(db: Database, keyring: Keyring) -> None:
    async with db.transaction({A}) as tx:
        await vault.create(tx, keyring, [subject(B)])
