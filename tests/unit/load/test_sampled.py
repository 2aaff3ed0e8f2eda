"""To which family of code a sample counts."""

from __future__ import annotations

import pytest

from tests.load.sampled import ROOT, family_of


@pytest.mark.parametrize(
    ("path", "family"),
    [
        ("/usr/lib/site-packages/aiokafka/consumer/fetcher.py", "Kafka client"),
        ("/usr/lib/site-packages/asyncpg/connection.py", "PostgreSQL client"),
        ("/usr/lib/python3.11/asyncio/tasks.py", ""),
        (f"{ROOT}/services/notify/channels/mail.py", "SMTP"),
        (f"{ROOT}/services/matching/domain/ranking.py", "domain"),
        (f"{ROOT}/services/matching/actions.py", "actions"),
        (f"{ROOT}/shared/events/envelope.py", "validation"),
        (f"{ROOT}/shared/process.py", ""),
    ],
)
def test_a_file_belongs_to_one_family_or_works_for_its_caller(path: str, family: str) -> None:
    assert family_of(path) == family
