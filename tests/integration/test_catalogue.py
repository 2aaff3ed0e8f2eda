"""What PostgreSQL's own catalogue says about who may do what, compared with the matrix that was reviewed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from deploy.local.engines import Endpoints
from shared.migrate import EVERYBODY, MIGRATOR, OPERATOR, SERVICES, app_of, logins, loop_of, owner_of
from tests.harness.databases import Sql, TestDatabase
from tests.harness.region import Region
from tools import grants
from tools.grants import HOUSE, KEPT, SCHEMAS, Matrix

OF_AUDIT = {"audit", "audit_chain", "audit_counts", "audit_floor"}
OF_LOOPS = {
    *("outbox", "timers", "parked", "inbox", "tombstones", "positions", "published", "cases", "open_things", "schema"),
    *OF_AUDIT,
}
WITHOUT_AGENCY = {
    "inbox": "event ids and digests only; an event is seen once whatever agency it claims",
    "positions": "offsets of the bus",
    "audit_floor": "one row: up to which entry everything is sealed",
    "audit_counts": "how many entries of each act are sealed, over all agencies",
    "region.heartbeats": "what each service's auditor has found: names of checks and counts",
    "published": "offsets of the bus",
    "region.clock": "one row: how far the region's clock is moved",
    "matching.duty": "regional duty coordinators belong to every agency; opaque ids only",
    "referral.duty": "as matching.duty",
    "intake.pool_members": "which agencies lend and borrow peers; nothing of anybody",
    "matching.peer_load": "what a peer carries over all agencies; opaque ids and counts only",
}
TO_PUBLIC = {("region", "agencies()"), ("region", "now()")}
"""Who has no right to use the schema reaches neither."""


@pytest_asyncio.fixture
async def sql(database: TestDatabase) -> AsyncIterator[Sql]:
    connection = await database.superuser()
    yield connection
    await connection.close()


def entries(matrix: Matrix) -> Iterator[tuple[str, str, str, str]]:
    """Section, role, object, rights."""
    for section, roles in matrix.items():
        for role, things in roles.items():
            yield from ((section, role, thing, may) for thing, may in things.items())


async def test_every_table_with_an_agency_has_forced_row_security(sql: Sql) -> None:
    rows = await sql.fetch(
        """
        SELECT n.nspname || '.' || c.relname AS name, c.relrowsecurity AND c.relforcerowsecurity AS forced,
               EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid) AS has_policy
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'agency_id' AND NOT a.attisdropped
         WHERE c.relkind IN ('r', 'p', 'f', 'm') AND n.nspname <> ALL ('{pg_catalog,information_schema}')
        """
    )
    assert len(rows) > 8 * len(SERVICES)
    assert [row["name"] for row in rows if not (row["forced"] and row["has_policy"])] == []


async def test_every_table_without_an_agency_has_a_reason(sql: Sql) -> None:
    rows = await sql.fetch(
        """
        SELECT n.nspname AS schema, c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'p', 'f', 'm') AND n.nspname = ANY ($1::text[]) AND NOT EXISTS (
               SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'agency_id' AND NOT a.attisdropped)
        """,
        list(SCHEMAS),
    )
    unexplained = {f"{row['schema']}.{row['name']}" for row in rows if row["name"] not in WITHOUT_AGENCY}
    assert unexplained <= set(WITHOUT_AGENCY)


async def test_the_catalogue_equals_the_reviewed_matrix(sql: Sql) -> None:
    now = grants.toml(await grants.matrix(sql), await grants.policies(sql))
    kept = await asyncio.to_thread(KEPT.read_text)
    assert now.splitlines() == kept.splitlines(), "see docs/architecture/grants.md"


async def test_nobody_has_a_right_that_no_service_needs(sql: Sql) -> None:
    matrix = await grants.matrix(sql)
    wide = [one for one in entries(matrix) if {"TRUNCATE", "REFERENCES", "TRIGGER", "MAINTAIN"} & set(one[3].split())]
    passed_on = [one for one in entries(matrix) if "*" in one[3]]
    public = {(section, thing) for section, role, thing, _ in entries(matrix) if role == "public"}
    assert (wide, passed_on, public) == ([], [], TO_PUBLIC)


async def test_a_service_has_no_right_in_another_ones_schema(sql: Sql) -> None:
    matrix = await grants.matrix(sql)
    own = {"app", "loop", OPERATOR}
    assert {role for service in (HOUSE, *SERVICES) for role in matrix[service]} <= own
    # Each loop says there what its auditor has found; the policy leaves it its own rows.
    loops = {loop_of(service) for service in SERVICES}
    assert set(matrix["region"]) == {EVERYBODY, OPERATOR, "public"} | loops
    assert {thing for loop in loops for thing in matrix["region"][loop]} == {"heartbeats"}


async def test_only_who_seals_or_opens_reaches_the_vault(sql: Sql) -> None:
    vault = (await grants.matrix(sql))["vault"]
    assert set(vault) == {app_of("intake"), app_of("notify"), OPERATOR}
    # Of its own it makes and destroys the keys of consults: the narrower policies say so, notify's own tests try it.
    assert vault[app_of("notify")]["data_keys"] == "INSERT SELECT"
    assert "DELETE" not in "".join(may for things in vault.values() for may in things.values())


async def test_loops_see_the_tables_of_loops_and_columns_of_what_is_open(sql: Sql) -> None:
    matrix = await grants.matrix(sql)
    assert set(matrix[HOUSE]["loop"]) == OF_LOOPS
    more = [(thing, may) for service in SERVICES for thing, may in matrix[service].get("loop", {}).items()]
    assert [(thing, may) for thing, may in more if may != "SELECT" or "." not in thing] == []


async def test_audit_and_outbox_can_only_be_added_to_by_actions(sql: Sql) -> None:
    matrix = await grants.matrix(sql)
    for section, role, thing, may in entries(matrix):
        if (thing == "audit" and role == "app") or (thing == "outbox" and role != "loop"):
            assert may == "INSERT", (section, role, thing)


async def test_nobody_can_change_or_remove_an_entry_of_the_trail_or_a_link_of_its_chain(sql: Sql) -> None:
    matrix = await grants.matrix(sql)
    rights = {may for _, _, one, every in entries(matrix) if one in {"audit", "audit_chain"} for may in every.split()}
    assert rights == {"SELECT", "INSERT"}
    assert {role for _, role, one, may in entries(matrix) if one == "audit_chain" and "INSERT" in may} == {"loop"}


async def test_the_operator_sees_no_content_of_a_case(sql: Sql) -> None:
    matrix = await grants.matrix(sql)
    readable = {
        f"{section}.{thing}"
        for section, role, thing, may in entries(matrix)
        if role == OPERATOR and "SELECT" in may.split() and section in (HOUSE, *SERVICES)
    }
    of_the_region = {f"intake.{name}" for name in ("agencies", "structures", "resources", "people", "contact_points")}
    open_things = {"house.cases", "house.open_things"}
    # What `peerline audit verify` compares: acts and ids, no personal text.
    trail = {f"{section}.audit" for section in SERVICES} | {f"house.{name}" for name in (*OF_AUDIT, "tombstones")}
    columns = {name for name in readable if name.count(".") == 2}
    assert readable - columns <= of_the_region | open_things | trail
    whats_open = {"agency_id", "case_id", "intent_id", "state", "expires_at"}
    whats_parked = {"agency_id", "subject", "state", "error_class", "parked_at", "due_at", "attempts", "size", "kept"}
    whats_parked |= {"seq", "topic", "part", "pos", "type", "event_id"}
    assert {name.rpartition(".")[2] for name in columns if ".parked." not in name} <= whats_open
    assert {name.rpartition(".")[2] for name in columns if ".parked." in name} <= whats_parked


async def test_every_policy_of_an_app_asks_for_the_agencies_in_view(sql: Sql) -> None:
    rows = await sql.fetch(
        "SELECT schemaname, tablename, policyname, roles::text[], qual, with_check, permissive FROM pg_policies"
    )
    loose = []
    for row in rows:
        conditions = [one for one in (row["qual"], row["with_check"]) if one is not None]
        of_an_app = "public" in row["roles"] or any(role.endswith("_app") for role in row["roles"])
        if of_an_app and not all("region.agencies()" in one for one in conditions):
            loose.append((row["schemaname"], row["tablename"], row["policyname"]))
    assert rows
    assert loose == []


async def test_no_login_is_more_than_a_login(sql: Sql) -> None:
    rows = await sql.fetch(
        """
        SELECT r.rolname, r.rolsuper OR r.rolbypassrls OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication AS more,
               ARRAY(SELECT b.rolname::text FROM pg_auth_members m JOIN pg_roles b ON b.oid = m.roleid
                      WHERE m.member = r.oid ORDER BY 1) AS member_of,
               EXISTS (SELECT FROM pg_shdepend d WHERE d.refobjid = r.oid AND d.deptype = 'o' AND d.dbid =
                       (SELECT oid FROM pg_database WHERE datname = current_database())) AS owns
          FROM pg_roles r WHERE r.rolname = ANY ($1::text[])
        """,
        logins(),
    )
    by_name = {row["rolname"]: row for row in rows}
    assert set(by_name) == set(logins())
    assert [name for name, row in by_name.items() if row["more"]] == []
    assert [name for name, row in by_name.items() if row["owns"] and name != MIGRATOR] == []
    for service in SERVICES:
        assert by_name[app_of(service)]["member_of"] == by_name[loop_of(service)]["member_of"] == [EVERYBODY]
    assert by_name[OPERATOR]["member_of"] == []
    assert set(by_name[MIGRATOR]["member_of"]) == {owner_of(schema) for schema in SCHEMAS}


async def test_owners_cannot_log_in_and_nobody_but_the_migrator_may_become_one(sql: Sql) -> None:
    owners = [owner_of(schema) for schema in SCHEMAS]
    can = await sql.fetchval("SELECT count(*) FROM pg_roles WHERE rolname = ANY ($1::text[]) AND rolcanlogin", owners)
    members = await sql.fetch(
        "SELECT DISTINCT member::regrole::text AS name FROM pg_auth_members WHERE roleid::regrole::text = ANY ($1)",
        owners,
    )
    # PostgreSQL notes a superuser who made a role as its administrator.
    assert (can, {row["name"] for row in members} - {"postgres"}) == (0, {MIGRATOR})


async def test_everything_in_a_schema_belongs_to_its_owner(sql: Sql) -> None:
    rows = await sql.fetch(
        """
        SELECT n.nspname || '.' || c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = ANY ($1::text[]) AND c.relowner::regrole::text <> n.nspname || '_owner'
        """,
        list(SCHEMAS),
    )
    assert [row["name"] for row in rows] == []


async def test_functions_that_run_as_their_owner_are_the_two_named_ones(sql: Sql) -> None:
    rows = await sql.fetch(
        """
        SELECT n.nspname AS schema, p.proname AS name, array_to_string(p.proconfig, ',') AS config
          FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
         WHERE p.prosecdef AND n.nspname <> 'pg_catalog'
        """
    )
    assert {(row["schema"], row["name"]) for row in rows} == {
        (service, name) for service in SERVICES for name in ("door", "parked_keys")
    }
    assert {row["config"] for row in rows} == {f"search_path={service}, pg_catalog" for service in SERVICES}


async def test_views_show_what_their_reader_may_see(sql: Sql) -> None:
    rows = await sql.fetch(
        "SELECT c.relname, array_to_string(c.reloptions, ',') AS options FROM pg_class c"
        " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('v', 'm') AND n.nspname = ANY ($1::text[])",
        list(SCHEMAS),
    )
    assert rows
    assert [row["relname"] for row in rows if "security_invoker=true" not in (row["options"] or "")] == []


async def test_public_may_not_even_connect_or_make_a_temporary_table(database: TestDatabase, sql: Sql) -> None:
    for right in ("CONNECT", "TEMPORARY", "CREATE"):
        assert not await sql.fetchval("SELECT has_database_privilege('public', $1, $2)", database.name, right)
    for login in set(logins()) - {MIGRATOR}:
        assert not await sql.fetchval("SELECT has_schema_privilege($1, 'public', 'CREATE')", login)


OWNS = "ALTER TABLE {service}.cases OWNER TO {service}_app"
LOOP_OWNS = "ALTER TABLE {service}.outbox OWNER TO {service}_loop"
UNFORCED = "ALTER TABLE {service}.timers NO FORCE ROW LEVEL SECURITY"


@pytest.mark.parametrize(
    ("service", "spoil", "why"),
    [
        *((service, OWNS, f"login {service}_app owns cases") for service in SERVICES),
        ("referral", LOOP_OWNS, "login referral_loop owns outbox"),
        ("referral", UNFORCED, "table timers is without forced row security"),
    ],
)
async def test_a_service_refuses_to_start_where_it_would_see_too_much(
    service: str, spoil: str, why: str, region: Region
) -> None:
    await (await region.sql()).execute(spoil.format(service=service))
    process = await region.start(service, ready=False)
    assert await process.ended() != 0
    assert f"UnsafeLogin: {why}" in process.said()


@pytest.mark.parametrize("login", ["referral_app", "referral_loop"])
@pytest.mark.parametrize("right", ["SUPERUSER", "BYPASSRLS"])
async def test_a_service_with_a_superusers_login_refuses_to_start(
    login: str, right: str, region: Region, own_engines: tuple[Endpoints, bool]
) -> None:
    if not own_engines[1]:
        pytest.skip("roles belong to the whole cluster: not on engines that are shared")
    sql = await region.sql()
    await sql.execute(f"ALTER ROLE {login} {right}")
    try:
        process = await region.start("referral", ready=False)
        assert await process.ended() != 0
    finally:
        await sql.execute(f"ALTER ROLE {login} NO{right}")
    assert f"UnsafeLogin: login {login} is a superuser or bypasses row security" in process.said()
