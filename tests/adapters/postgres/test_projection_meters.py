"""A traced command's way ends in the read models: a span of its trace, once a batch."""

import asyncio

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from adapters.postgres import projection_meters
from domain.commands.account import Deposit
from tests.application.desk import a_desk
from tests.builders import ALICE
from tests.read_models.business import follow

TRACE_ID, PARENT_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(projection_meters, "_tracer", provider.get_tracer("fairbook"))
    return exporter


def test_a_traced_command_is_followed_into_the_read_models(
    database_url: str, spans: InMemorySpanExporter
) -> None:
    async def run() -> None:
        async with a_desk(database_url) as desk:
            account_id = await desk.account(1)
            command = Deposit(amount_minor=5, method="card")
            parent = f"00-{TRACE_ID}-{PARENT_ID}-01"
            await desk.ledger.submit(command, ALICE, target=account_id, trace=parent)
            await desk.deposit(account_id, 7)

    asyncio.run(run())
    follow(database_url)
    (span,) = spans.get_finished_spans()
    assert span.name == "project"
    assert span.context is not None
    assert span.parent is not None
    assert trace.format_trace_id(span.context.trace_id) == TRACE_ID
    assert trace.format_span_id(span.parent.span_id) == PARENT_ID
    assert span.start_time is not None
    assert span.end_time is not None
    assert span.end_time > span.start_time
