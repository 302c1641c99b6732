"""What an operator types: topics, indexes and the doctor, against real servers and an embedded store."""

import asyncio
import json
import secrets
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from mitagger.cli.app import app
from mitagger.cli.outcome import REFUSED, SOME_FAILED
from shared.bus import topics
from shared.events.image import ImageUploaded
from shared.sqlite import Database
from tests.support.servers import kafka, meilisearch, mongo

Command = Callable[..., Result]


@pytest.fixture
def embedded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setenv("MITAGGER_DATA", str(tmp_path / "data"))
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


@pytest.fixture
def distributed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mongodb: str) -> Command:
    """On topics and a database that are not there yet."""
    name = f"operators{secrets.token_hex(4)}"
    settings = {
        "DATA": str(tmp_path / "data"),
        "BUS": f"kafka://{kafka.address()}/{name}",
        "DOCUMENTS": mongo.named(mongodb, name),
        "BLOBS": f"file://{tmp_path / 'blobs'}",
        "KEY": secrets.token_hex(32),
    }
    for setting, value in meilisearch.settings().items():
        monkeypatch.setenv(setting, value)
    for setting, value in settings.items():
        monkeypatch.setenv(f"MITAGGER_{setting}", value)
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


def findings(command: Command) -> tuple[int, list[Any]]:
    done = command("doctor", "--json")
    return done.exit_code, json.loads(done.stdout)


def about(found: list[Any], level: str) -> list[str]:
    return [f"{one['subject']}: {one['what']}" for one in found if one["level"] == level]


@pytest.mark.servers
def test_topics_are_planned_made_and_then_as_they_should_be(distributed: Command) -> None:
    plan = distributed("topics", "plan", "--json")
    changes = json.loads(plan.stdout)["changes"]
    assert plan.exit_code == SOME_FAILED
    names = {change["topic"].partition(".")[2] for change in changes}
    assert {"image.uploaded", "review.done", "legend.tokenized.recommender.retry"} <= names
    assert {change["change"] for change in changes} == {"create"}
    assert "image.uploaded" in distributed("topics", "plan").stdout
    assert distributed("topics", "apply").stdout == f"{len(changes)} changes made.\n"
    assert distributed("topics", "plan").exit_code == 0
    assert distributed("topics", "apply").stdout == "All topics were as they should be.\n"


@pytest.mark.servers
def test_what_loses_records_is_refused_unless_it_is_allowed(
    distributed: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert distributed("topics", "apply").exit_code == 0
    monkeypatch.setattr(ImageUploaded, "kept", timedelta(days=1))
    assert "keep shorter" in distributed("topics", "plan").stdout
    refused = distributed("topics", "apply")
    assert (refused.exit_code, "would lose records" in refused.stderr) == (REFUSED, True)
    assert distributed("topics", "plan").exit_code == SOME_FAILED
    assert distributed("topics", "apply", "--allow-loss").exit_code == 0
    assert distributed("topics", "plan").exit_code == 0


@pytest.mark.servers
def test_missing_indexes_are_planned_and_made(distributed: Command) -> None:
    plan = distributed("indexes", "plan")
    assert (plan.exit_code, "ingest.figures" in plan.stdout, "missing" in plan.stdout) == (SOME_FAILED, True, True)
    assert " indexes created.\n" in distributed("indexes", "apply").stdout
    assert distributed("indexes", "plan").exit_code == 0
    assert distributed("indexes", "apply").stdout == "No index was missing.\n"


@pytest.mark.servers
def test_doctor_finds_what_is_missing_and_is_content_when_it_is_made(distributed: Command) -> None:
    _, before = findings(distributed)
    assert any("image.uploaded: create" in what for what in about(before, "warning"))
    assert any("is missing" in what for what in about(before, "warning"))
    distributed("topics", "apply")
    distributed("indexes", "apply")
    _, after = findings(distributed)
    assert {one["subject"] for one in after} >= {"settings", "kafka", "topics", "mongodb", "indexes", "blobs"}
    # The server of the tests is one broker, and knows no replica sets.
    assert {what.partition(":")[0] for what in about(after, "warning") + about(after, "problem")} == {
        "kafka",
        "mongodb",
    }
    assert all(one["remedy"] for one in after if one["level"] != "ok")


@pytest.mark.servers
def test_doctor_says_which_engine_and_which_service_is_away_and_looks_at_the_others(
    distributed: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topics, "ANSWER_SECONDS", 1)
    monkeypatch.setenv("MITAGGER_BUS", "kafka://127.0.0.1:1")
    monkeypatch.setenv("MITAGGER_ADDRESSES", '{"export": "http://127.0.0.1:1"}')
    code, found = findings(distributed)
    assert code == SOME_FAILED
    assert {"kafka", "export"} <= {what.partition(":")[0] for what in about(found, "problem")}
    assert any(what.startswith("mongodb: It answers") for what in about(found, "ok"))


def test_doctor_on_a_laptop_is_content_before_and_after_the_first_start(embedded: Command, tmp_path: Path) -> None:
    assert findings(embedded)[0] == 0
    assert embedded("keys", "create", "PACS").exit_code == 0  # starts the services on the folder
    code, found = findings(embedded)
    assert (code, about(found, "problem")) == (0, [])
    assert any("is whole" in what for what in about(found, "ok"))


def test_doctor_finds_a_damaged_store_and_an_open_folder(embedded: Command, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o755)
    store = data / "mitagger.sqlite"
    shutil.copyfile(__file__, store)
    code, found = findings(embedded)
    assert code == SOME_FAILED
    assert {what.partition(":")[0] for what in about(found, "problem")} == {"data folder", "store"}


async def test_doctor_leaves_the_store_of_a_newer_version_alone(embedded: Command, tmp_path: Path) -> None:
    database = Database(tmp_path / "data" / "mitagger.sqlite")
    await database.open()
    await database.write(lambda connection: connection.pragma("user_version", 99))
    await database.close()
    code, found = await asyncio.to_thread(findings, embedded)
    assert code == SOME_FAILED
    assert any("newer MITagger" in what for what in about(found, "problem"))


def test_topics_and_indexes_are_none_of_the_embedded_engines(embedded: Command) -> None:
    for command in ("topics", "indexes"):
        refused = embedded(command, "plan")
        assert (refused.exit_code, "embedded engines" in refused.stderr) == (REFUSED, True)


def test_settings_that_do_not_fit_together_are_the_first_finding(
    embedded: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MITAGGER_BUS", "kafka://127.0.0.1:1")
    monkeypatch.setattr(topics, "ANSWER_SECONDS", 1)
    code, found = findings(embedded)
    assert code == SOME_FAILED
    assert "only one is set" in about(found, "problem")[0]
