"""`mitagger vocabulary` against a server that runs: from a file to recommendations, and back."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from typer.testing import CliRunner

from mitagger.cli.app import app
from mitagger.cli.outcome import REFUSED, SERVER_FAILED, SOME_FAILED
from tests.support.releases import rf2_release
from tests.support.server import Server

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """With a small vocabulary in place of those that ship."""
    shelf = tmp_path_factory.mktemp("shelf")
    (shelf / "UBERON.tsv").write_text("id\tname\tscope\nUBERON:2\tfemur\tLABEL\n", encoding="utf-8")
    folder = tmp_path_factory.mktemp("server")
    (folder / "mitagger.toml").write_text(f'vocabularies = "{shelf}"\n', encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MITAGGER_CACHE", str(shelf / "cache"))
        running = Server(folder)
        await running.start()
        yield running
        await running.stop()


async def vocabulary(server: Server, *arguments: str) -> Any:
    line = ["vocabulary", *arguments, "--data", str(server.data)]
    return await asyncio.to_thread(CliRunner().invoke, app, line)


async def test_a_release_is_imported_compared_used_and_taken_back(server: Server, tmp_path: Path) -> None:
    release = rf2_release(tmp_path, packed=False)
    brought = await vocabulary(server, "import", str(release), "--name", "SNOMEDCT")
    assert brought.exit_code == 0, brought.stderr
    assert brought.stdout.startswith("SNOMEDCT 20260101: 4 concepts, 10 names, 0 rows skipped. Use it: ")
    told = json.loads((await vocabulary(server, "diff", "SNOMEDCT", "--json")).stdout)
    assert (told["added"], told["removed"], told["figures_with_tags"]) == (4, 0, 0)
    assert (await vocabulary(server, "lookup", "surgical")).exit_code == REFUSED
    used = await vocabulary(server, "activate", "SNOMEDCT", "--version", "20260101")
    assert used.stdout == "In use: SNOMEDCT (activated SNOMEDCT 20260101).\n"

    rules = json.loads((await vocabulary(server, "axes", "show")).stdout)
    rules["rules"].insert(0, {"axis": "imaging", "vocabulary": "SNOMEDCT", "under": ["SNOMEDCT:363679005"]})
    table = tmp_path / "axes.json"
    table.write_text(json.dumps(rules), encoding="utf-8")
    preview = json.loads((await vocabulary(server, "axes", "preview", str(table), "--json")).stdout)
    assert [(one["before"], one["after"], one["concepts"]) for one in preview["moves"]] == [(None, "imaging", 2)]
    assert "changed the axis table" in (await vocabulary(server, "axes", "apply", str(table))).stdout
    assert "rolled back the axis table" in (await vocabulary(server, "axes", "rollback")).stdout

    listed = await vocabulary(server, "versions", "--json")
    assert [(one["version"], one["active"]) for one in json.loads(listed.stdout)] == [("20260101", True)]
    assert (await vocabulary(server, "delete", "SNOMEDCT", "--version", "20260101")).exit_code == REFUSED
    for _ in range(3):
        back = await vocabulary(server, "rollback")
    assert back.stdout == "In use: no imported vocabulary (the defaults).\n"
    assert (await vocabulary(server, "delete", "SNOMEDCT", "--version", "20260101")).exit_code == 0


async def test_what_cannot_be_read_is_named_with_its_line(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "x.tsv"
    file.write_text("id\tname\nX:1\tspleen\nX:2\n", encoding="utf-8")
    some = await vocabulary(server, "import", str(file), "--name", "X", "--axis", "anatomy")
    assert some.exit_code == SOME_FAILED
    assert "x.tsv, line 3:" in some.stderr
    file.write_text("nothing", encoding="utf-8")
    none = await vocabulary(server, "import", str(file), "--name", "X")
    assert none.exit_code == SERVER_FAILED
    assert "line 1: no column is the identifier's" in none.stderr
    assert (await vocabulary(server, "import", str(tmp_path / "none"), "--name", "X")).exit_code == REFUSED
    assert (await vocabulary(server, "activate", "Y")).exit_code == REFUSED


async def mitagger(server: Server, *arguments: str) -> Any:
    return await asyncio.to_thread(CliRunner().invoke, app, [*arguments, "--data", str(server.data)])


async def test_mappings_are_imported_used_by_an_export_and_taken_back(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "mondo-snomed.sssom.tsv"
    file.write_text(
        "#curie_map:\n#  SCTID: http://snomed.info/id/\nsubject_id\tpredicate_id\tobject_id\n"
        "UBERON:2\tskos:exactMatch\tSCTID:71341001\nUBERON:3\tskos:exactMatch\tfemur\n",
        encoding="utf-8",
    )
    brought = await mitagger(server, "mapping", "import", str(file), "--name", "us", "--version", "1")
    assert brought.exit_code == SOME_FAILED, brought.stderr
    assert "line 5: 'femur' is no CURIE." in brought.stderr
    assert brought.stdout.startswith("us 1: 1 mappings, 0 rows left out, 1 skipped. Use them: ")
    assert (await mitagger(server, "export", "--map-to", "SNOMEDCT")).exit_code == REFUSED
    used = await mitagger(server, "mapping", "activate", "us")
    assert used.stdout == "In use: us (activated us 1).\n", used.stderr
    targets = json.loads((await mitagger(server, "mapping", "targets", "--json")).stdout)["targets"]
    assert {"vocabulary": "SNOMEDCT", "concepts": 1} in targets
    exported = await mitagger(server, "export", "--map-to", "SNOMEDCT")
    assert exported.stdout.splitlines()[0].endswith('"mapped_label","mapping_predicate","mapping_source"')
    assert "mapped to SNOMEDCT by us 1 (" in exported.stderr
    tsv = tmp_path / "remap.tsv"
    remap = ("vocabulary", "remap", "--from", "UBERON", "--to", "SNOMEDCT")
    shown = await mitagger(server, *remap, "--output", str(tsv))
    assert shown.exit_code == 0, shown.stderr
    assert "0 final tags of UBERON, 0 concepts, 0 figures." in shown.stdout
    assert tsv.read_text(encoding="utf-8").startswith("curie\tlabel\ttags\tfigures\toutcome\tmapped_curie\t")
    assert (await mitagger(server, *remap, "--output", str(tmp_path))).exit_code == REFUSED

    assert (await mitagger(server, "mapping", "delete", "us", "--version", "1")).exit_code == REFUSED
    assert (await mitagger(server, "mapping", "rollback")).stdout == "In use: no mappings (no mappings).\n"
    assert (await mitagger(server, "mapping", "delete", "us", "--version", "1")).exit_code == 0
    assert json.loads((await mitagger(server, "mapping", "list", "--json")).stdout) == []
    missing = await mitagger(server, "mapping", "import", "biomappings")
    assert missing.exit_code == REFUSED
    assert "pip download --no-deps biomappings" in missing.stderr
    assert (await mitagger(server, "mapping", "import", "--vocabulary", "Y")).exit_code == REFUSED
    assert (await mitagger(server, "mapping", "import")).exit_code == 2
