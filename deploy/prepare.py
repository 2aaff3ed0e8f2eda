"""What a region needs before its services start: roles, database, migrations, topics.

`make up` and the tests call `prepared`; in containers `python -m deploy.prepare` is the one-shot service that the
others wait for. What is there already stays as it is. A release that is rolled out calls it twice: with `pre` before
its first process starts, with `post` after the last process of the release before has stopped.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from aiokafka.errors import KafkaError

from shared.broker import PARTITIONS, declare_topics
from shared.db import UNAVAILABLE
from shared.migrate import MIGRATOR, BadMigration, Phase, Server, bootstrap, create_database, logins, migrate

SUPERUSER_PASSWORD = "PEERLINE_POSTGRES_PASSWORD"  # noqa: S105 - the name of a variable
PHASES: tuple[Phase, ...] = ("pre", "post")
WITHIN_S = 120.0
AGAIN_AFTER_S = 1.0
USAGE, REFUSED, UNREACHABLE = 2, 3, 4


@dataclass(frozen=True, kw_only=True, repr=False)
class Place:
    """Where a region is made: its engines, the superuser's password, and a password per login."""

    postgres: Server
    superuser_password: str
    passwords: Mapping[str, str]
    kafka: str
    database: str
    topic_prefix: str = ""


def password_variable(login: str) -> str:
    """The variable of the environment that holds a login's password."""
    return f"PEERLINE_{login.removeprefix('peerline_').upper()}_PASSWORD"


def place_of(environment: Mapping[str, str]) -> Place:
    """The place that an environment names. Raises `KeyError` with the name of what is missing."""
    return Place(
        postgres=Server(environment["PEERLINE_DATABASE_HOST"], int(environment.get("PEERLINE_DATABASE_PORT", "5432"))),
        superuser_password=environment[SUPERUSER_PASSWORD],
        passwords={login: environment[password_variable(login)] for login in logins()},
        kafka=environment["PEERLINE_KAFKA"],
        database=environment.get("PEERLINE_DATABASE", "peerline"),
        topic_prefix=environment.get("PEERLINE_TOPIC_PREFIX", ""),
    )


async def database_prepared(place: Place, phases: Sequence[Phase] = PHASES) -> list[str]:
    """Roles, database and tables, by the migrations of these phases; returns those that were applied.

    Raises `BadMigration` when the database was made by other migrations than ours, and what the engine raises.
    """
    await bootstrap(place.postgres, place.superuser_password, place.passwords)
    await create_database(place.postgres, place.superuser_password, place.database)
    password = place.passwords[MIGRATOR]
    # sql-in-loop: one phase after the other
    return [name for phase in phases for name in await migrate(place.postgres, place.database, password, phase)]


async def prepared(place: Place, *, partitions: int = PARTITIONS) -> list[str]:
    """As `database_prepared`, and the topics."""
    applied = await database_prepared(place)
    await declare_topics(place.kafka, prefix=place.topic_prefix, partitions=partitions)
    return applied


async def _patiently(step: Callable[[], Awaitable[None]]) -> None:
    """Run a step until its engine is there."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            try:
                await step()
            except (*UNAVAILABLE, KafkaError) as error:
                print(f"not yet: {type(error).__name__}", file=sys.stderr)
                await asyncio.sleep(AGAIN_AFTER_S)
            else:
                return


async def _prepare(place: Place, phases: Sequence[Phase]) -> None:
    async def database() -> None:
        applied = await database_prepared(place, phases)
        print(f"the database is ready ({len(applied) or 'no'} migrations applied)")

    async def topics() -> None:
        await declare_topics(place.kafka, prefix=place.topic_prefix)
        print("the topics are ready")

    await _patiently(database)
    await _patiently(topics)


def main(words: Sequence[str]) -> int:
    """Prepare the place that the environment names; returns an exit code and never prints a value of it."""
    phases = [phase for phase in PHASES if phase in words] or PHASES
    if not set(words) <= set(PHASES):
        print("Say pre, post, or nothing for both.", file=sys.stderr)
        return USAGE
    try:
        asyncio.run(_prepare(place_of(os.environ), phases))
    except KeyError as missing:
        print(f"Set {missing.args[0]}.", file=sys.stderr)
        return USAGE
    except BadMigration as error:
        print(f"The database was made by other migrations than these: {error}.", file=sys.stderr)
        return REFUSED
    except TimeoutError:
        print(f"An engine did not answer within {WITHIN_S:.0f} s.", file=sys.stderr)
        return UNREACHABLE
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
