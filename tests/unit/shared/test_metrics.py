"""Names, rules and pages say the same; what needs asking is asked for, and its absence shows."""

import asyncio
import typing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from shared import metrics
from shared.bus.port import Progress
from shared.documents.port import Backlog
from shared.documents.sqlite import NoOutbox
from shared.errors import Invalid, Unavailable
from shared.process import watched
from shared.scraping import Scrape, door
from shared.settings import Settings
from tests.support.embedded import embedded
from tools.metrics import BEGIN, END, PAGE, RULES, alerts, anchor, asked, table

OTHERS = {"up", "process_open_fds", "process_max_fds"}  # not ours, yet on every scrape


def test_every_name_is_a_metric_and_described() -> None:
    names = typing.get_args(metrics.Name)
    assert len(names) == len(set(names))
    assert set(names) == set(metrics.MADE) == set(metrics.DESCRIBED)
    assert list(names) == list(metrics.MADE), "in the same order, so that pages read well"
    assert all(text.endswith(".") for text in metrics.DESCRIBED.values())


def test_the_page_has_what_the_code_and_the_rules_say() -> None:
    assert table() in PAGE.read_text(encoding="utf-8"), "Metrics or alerts changed: run python -m tools.metrics"


def test_every_metric_has_an_alert_or_answers_a_question() -> None:
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    explained = before + rest.partition(END)[2]
    alerted = {name for rule in alerts() for name in asked(rule["expr"])}
    assert {name for name in metrics.MADE if name not in alerted and name not in explained} == set()


def test_rules_ask_for_what_there_is() -> None:
    for rule in alerts():
        assert asked(rule["expr"]) <= set(metrics.MADE), rule["alert"]
        assert asked(rule["expr"]) or any(name in rule["expr"] for name in OTHERS), rule["alert"]
        labels = {label for name in asked(rule["expr"]) for label in metrics.MADE[name][1]} | {"le", "instance", "job"}
        for by in rule["expr"].split("by (")[1:]:
            assert {label.strip() for label in by.partition(")")[0].split(",")} <= labels, rule["alert"]


def test_every_alert_says_what_happened_and_leads_to_what_to_do() -> None:
    page = PAGE.read_text(encoding="utf-8")
    names = [rule["alert"] for rule in alerts()]
    assert len(names) == len(set(names))
    for rule in alerts():
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["runbook"] == f"docs/operations.md#{anchor(rule)}"
        (row,) = [line for line in page.splitlines() if f'<a id="{anchor(rule)}"></a>' in line]
        assert f"`{rule['alert']}`" in row
        assert rule["labels"]["severity"] in row


def test_the_example_scrapes_the_rules_beside_it() -> None:
    example: Any = yaml.safe_load(RULES.with_name("prometheus.yml").read_text(encoding="utf-8"))
    assert example["rule_files"] == [RULES.name]
    assert [job["job_name"] for job in example["scrape_configs"]] == ["mitagger"]  # what the rules filter by


class Answering:
    """A bus as far as a scrape asks it."""

    def __init__(self, answer: list[Progress] | Exception | None) -> None:
        self.answer = answer

    async def progress(self) -> list[Progress]:
        if self.answer is None:
            await asyncio.Event().wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        assert self.answer is not None
        return self.answer


class Waiting(NoOutbox):
    """An outbox as far as a scrape asks it."""

    def __init__(self, backlogs: dict[str, Backlog]) -> None:
        self._backlogs = backlogs

    async def backlogs(self) -> dict[str, Backlog]:
        return self._backlogs


async def shown(bus: Answering, backlogs: dict[str, Backlog] | None = None, *, waiting_for: str = "") -> str:
    outbox = Waiting(backlogs or {})
    outbox.waiting_for = waiting_for
    app = door(Scrape("test", bus, outbox))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://metrics") as client:
        answer = await client.get("/metrics")
        assert answer.status_code == 200
        assert (await client.get("/")).status_code == 404
        return answer.text


AT = datetime(2026, 1, 1, tzinfo=UTC)
BEHIND = Progress("nlp", "image.uploaded", 7, AT, "annotator")


async def test_a_scrape_shows_how_far_groups_are() -> None:
    text = await shown(Answering([BEHIND]), {"figures": Backlog(3, AT), "others": Backlog(0)})
    for line in (
        'mitagger_group_behind_events{group="nlp",topic="image.uploaded"} 7.0',
        'mitagger_group_moved_timestamp_seconds{group="nlp",topic="image.uploaded"} 1.7672256e+09',
        'mitagger_group_waiting{dependency="annotator",group="nlp"} 1.0',
        'mitagger_outbox_documents{collection="figures"} 3.0',
        'mitagger_outbox_documents{collection="others"} 0.0',
        'mitagger_source_up{source="bus"} 1.0',
        "mitagger_ready 0.0",
    ):
        assert line in text
    assert 'mitagger_outbox_oldest_age_seconds{collection="figures"}' in text
    assert 'mitagger_outbox_oldest_age_seconds{collection="others"}' not in text


@pytest.mark.parametrize("answer", [Unavailable("kafka"), RuntimeError("a bug"), None])
async def test_what_is_down_is_absent_and_said_to_be_down(
    answer: Exception | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.scraping.SECONDS", 0.05)
    bus = Answering([BEHIND])
    await shown(bus)
    bus.answer = answer  # type: ignore[assignment]
    text = await shown(bus)
    assert "mitagger_group_behind_events{" not in text
    assert 'mitagger_source_up{source="bus"} 0.0' in text
    assert 'mitagger_source_up{source="outbox"} 1.0' in text
    assert "mitagger_ready 0.0" in text


async def test_a_relay_that_waits_keeps_the_process_from_being_ready() -> None:
    assert "mitagger_ready 1.0" in await shown(Answering([]))
    text = await shown(Answering([]), waiting_for="kafka")
    assert 'mitagger_group_waiting{dependency="kafka",group="outbox"} 1.0' in text
    assert "mitagger_ready 0.0" in text


async def test_a_reaction_that_stopped_is_no_label_of_its_own_sentence() -> None:
    stopped = Progress("webhooks", "tag.accepted", 1, None, "its lost position in tag.accepted/3: events may have …")
    assert 'mitagger_group_waiting{dependency="position",group="webhooks"} 1.0' in await shown(Answering([stopped]))


async def test_metrics_are_shown_where_the_settings_say_and_nowhere_else(tmp_path: Path) -> None:
    assert Settings().metrics == ""
    async with embedded(tmp_path) as engine:
        address = await free_address()
        async with watched(Settings(metrics=address), "nlp", engine), httpx.AsyncClient() as client:
            text = (await client.get(f"http://{address}/metrics")).text
            assert 'mitagger_build_info{service="nlp"' in text
            assert "process_resident_memory_bytes" in text
            with pytest.raises(Invalid, match="MITAGGER_METRICS"):
                async with watched(Settings(metrics=address), "nlp", engine):
                    pass
        async with httpx.AsyncClient() as client:
            with pytest.raises(httpx.ConnectError):
                await client.get(f"http://{address}/metrics")


async def free_address() -> str:
    """One that is free."""
    server = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return f"127.0.0.1:{port}"


@pytest.mark.parametrize("address", ["9464", "localhost", "http://127.0.0.1:9464", "[::1]", "::1:9464x", "a/b:1"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="metrics"):
        Settings(metrics=address)
