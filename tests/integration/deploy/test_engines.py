"""The engines, started as `make up` starts them."""

from __future__ import annotations

import asyncio
import json
import smtplib
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email.message import EmailMessage
from typing import Any
from urllib.parse import quote

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from deploy.local.engines import Endpoints, Engines

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.engines]


def endpoints(engines: Engines) -> Endpoints:
    assert engines.endpoints is not None
    return engines.endpoints


def fetched(url: str, *, host: str | None = None) -> str:
    request = urllib.request.Request(url, headers={"Host": host} if host else {})  # noqa: S310 - our own loopback address
    with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
        return str(answer.read().decode())


async def connect(engines: Engines, *, password: str | None = None) -> asyncpg.Connection[Any]:
    at = endpoints(engines)
    return await asyncpg.connect(
        host=at.postgres_host,
        port=at.postgres_port,
        user="postgres",
        password=at.postgres_password if password is None else password,
        database="postgres",
    )


@asynccontextmanager
async def admin(engines: Engines) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=endpoints(engines).kafka)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


async def make_topic(engines: Engines, name: str) -> None:
    async with admin(engines) as client:
        answer = await client.create_topics([NewTopic(name, num_partitions=1, replication_factor=1)])
        assert [row[1] for row in answer.topic_errors] == [0]


async def send(engines: Engines, topic: str, *values: bytes) -> None:
    async with AIOKafkaProducer(
        bootstrap_servers=endpoints(engines).kafka, acks="all", enable_idempotence=True
    ) as producer:
        for value in values:
            await producer.send_and_wait(topic, value)


async def read(engines: Engines, topic: str, count: int) -> list[bytes]:
    async with AIOKafkaConsumer(bootstrap_servers=endpoints(engines).kafka, enable_auto_commit=False) as consumer:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        async with asyncio.timeout(20):
            return [(await consumer.getone()).value for _ in range(count)]


def mail(engines: Engines, *, to: str, subject: str = "Words", text: str = "Body\n") -> None:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = subject, "sender@peer.test", to
    message.set_content(text)
    at = endpoints(engines)
    with smtplib.SMTP(at.smtp_host, at.smtp_port, timeout=5) as client:
        client.send_message(message)


def mails(engines: Engines, to: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(fetched(f"{endpoints(engines).mailbox_url}/api/mails?to={quote(to)}"))
    return found


async def test_a_topic_can_be_made_and_used_the_moment_the_engines_serve(own_engines: Engines) -> None:
    await make_topic(own_engines, "at-once")
    await send(own_engines, "at-once", b"1", b"2")
    assert await read(own_engines, "at-once", 2) == [b"1", b"2"]


async def test_a_topic_that_nobody_made_does_not_appear(own_engines: Engines) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=endpoints(own_engines).kafka, request_timeout_ms=1500)
    async with producer:
        with pytest.raises(KafkaError):
            await producer.send_and_wait("nobody-made-this", b"x")
    async with admin(own_engines) as client:
        assert "nobody-made-this" not in await client.list_topics()


async def test_kafka_keeps_what_it_acknowledged_through_a_kill(own_engines: Engines) -> None:
    await make_topic(own_engines, "killed")
    await send(own_engines, "killed", b"before")
    await own_engines.kill("kafka")
    await own_engines.supervisor.wait_ready("kafka")
    await send(own_engines, "killed", b"after")
    assert await read(own_engines, "killed", 2) == [b"before", b"after"]


async def test_postgres_is_18_and_wants_the_password(own_engines: Engines) -> None:
    connection = await connect(own_engines)
    assert connection.get_server_version().major == 18
    assert await connection.fetchval("SHOW server_encoding") == "UTF8"
    assert await connection.fetchval("SHOW timezone") == "UTC"
    await connection.close()
    with pytest.raises(asyncpg.InvalidPasswordError):
        await connect(own_engines, password="guessed")


async def test_the_password_is_readable_by_its_owner_alone(own_engines: Engines) -> None:
    file = own_engines.state / "postgres.password"
    assert file.stat().st_mode & 0o077 == 0
    assert file.read_text() == endpoints(own_engines).postgres_password


async def test_a_value_that_breaks_a_rule_is_not_in_the_log_of_postgres(own_engines: Engines) -> None:
    connection = await connect(own_engines)
    await connection.execute("CREATE TABLE canary (name text PRIMARY KEY)")
    await connection.execute("INSERT INTO canary VALUES ($1)", "planted-name")
    with pytest.raises(asyncpg.UniqueViolationError):
        await connection.execute("INSERT INTO canary VALUES ('planted-name')")
    await connection.close()
    log = own_engines.supervisor.log_of("postgres").read_text()
    assert "duplicate key value" in log
    assert "planted-name" not in log


async def test_postgres_keeps_what_it_committed_through_a_kill(own_engines: Engines) -> None:
    connection = await connect(own_engines)
    await connection.execute("CREATE TABLE killed AS SELECT 7 AS number")
    await own_engines.kill("postgres")
    await own_engines.supervisor.wait_ready("postgres")
    connection.terminate()
    connection = await connect(own_engines)
    assert await connection.fetchval("SELECT number FROM killed") == 7
    await connection.close()


async def test_a_halted_engine_refuses_connections_until_it_is_resumed(own_engines: Engines) -> None:
    await own_engines.halt("postgres")
    with pytest.raises(OSError, match="Connect call failed"):
        await connect(own_engines)
    await own_engines.resume("postgres")
    await (await connect(own_engines)).close()


async def test_a_mail_is_listed_by_recipient_newest_first(own_engines: Engines) -> None:
    for subject in ("first", "second"):
        mail(own_engines, to="listed@agency.test", subject=subject, text="Grüße http://127.0.0.1:1/l/a?b=1&c=2\n")
    mail(own_engines, to="other@agency.test")
    found = mails(own_engines, "LISTED@agency.test")
    assert [row["subject"] for row in found] == ["second", "first"]
    assert found[0]["to"] == ["listed@agency.test"]
    assert found[0]["text"].strip() == "Grüße http://127.0.0.1:1/l/a?b=1&c=2"


async def test_the_mailbox_keeps_mail_over_a_restart(own_engines: Engines) -> None:
    mail(own_engines, to="kept@agency.test")
    before = mails(own_engines, "kept@agency.test")
    await own_engines.restart("mailbox")
    assert len(before) == 1
    assert mails(own_engines, "kept@agency.test") == before


async def test_the_page_of_a_mail_runs_nothing_that_the_mail_says(own_engines: Engines) -> None:
    mail(own_engines, to="page@agency.test", subject="<script>1</script>", text="<img src=x> http://127.0.0.1:1/l/x\n")
    (row,) = mails(own_engines, "page@agency.test")
    base = endpoints(own_engines).mailbox_url
    one, index = fetched(f"{base}/mail/{quote(row['id'])}"), fetched(f"{base}/")
    assert "<script>" not in one + index
    assert "<img" not in one
    assert '<a href="http://127.0.0.1:1/l/x"' in one


async def test_the_mailbox_answers_nobody_who_calls_it_by_another_name(own_engines: Engines) -> None:
    with pytest.raises(urllib.error.HTTPError) as refusal:
        fetched(f"{endpoints(own_engines).mailbox_url}/api/mails", host="evil.test")
    refusal.value.close()
    assert refusal.value.code == 400


def post(url: str, body: object) -> None:
    request = urllib.request.Request(  # noqa: S310 - our own loopback address
        url, data=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )
    urllib.request.urlopen(request, timeout=5).close()  # noqa: S310


async def eventually(question: Callable[[], list[Any]]) -> list[Any]:
    async with asyncio.timeout(15):
        while not (found := question()):  # noqa: ASYNC110 - another process makes it true
            await asyncio.sleep(0.05)
    return found


async def test_zipkin_finds_a_span_by_its_tag(own_engines: Engines) -> None:
    base = endpoints(own_engines).zipkin_url
    now = int(time.time() * 1e6)
    span = {"traceId": "a" * 32, "id": "b" * 16, "name": "x", "timestamp": now, "duration": 10}
    traces = [{**span, "localEndpoint": {"serviceName": "intake"}, "tags": {"peerline.case": "c1"}}]
    await asyncio.to_thread(post, f"{base}/api/v2/spans", traces)
    search = f"{base}/api/v2/traces?annotationQuery={quote('peerline.case=c1')}"
    found = await eventually(lambda: list(json.loads(fetched(search))))
    assert found[0][0]["traceId"] == "a" * 32


async def test_every_engine_has_a_log_of_its_own(own_engines: Engines) -> None:
    names = {file.name for file in (own_engines.state / "log").glob("*.log")}
    assert {"kafka.log", "postgres.log", "mailbox.log", "zipkin.log"} <= names
