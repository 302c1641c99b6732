"""Mappings on the page Vocabularies, and what an export makes of them."""

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from mitagger.client import AsyncClient
from tests.browser.conftest import Installation, visit

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]


async def test_mappings_come_in_are_used_and_an_export_gives_their_codes(
    installation: Installation, chromium: Browser, tmp_path: Path
) -> None:
    file = tmp_path / "uberon.sssom.tsv"
    file.write_text(
        "subject_id\tpredicate_id\tobject_id\nUBERON:0002048\tskos:exactMatch\tSNOMEDCT:39607008\n", encoding="utf-8"
    )
    async with visit(chromium, installation.url) as administrator:
        await administrator.context.set_extra_http_headers({"Authorization": f"Bearer {installation.key}"})
        page = administrator.page
        await administrator.open("/vocabularies")
        section = page.get_by_role("region", name="Mappings to other vocabularies")
        await section.get_by_label("File of mappings").set_input_files(file)
        await section.get_by_label("Name of the mappings").fill("uberon-snomed")
        await section.get_by_role("button", name="Import mappings").click()
        await section.get_by_role("button", name="Use uberon-snomed").click(timeout=30_000)
        await expect(section.get_by_text("In use")).to_be_visible(timeout=30_000)

        async with asyncio.timeout(30), AsyncClient(installation.url, key=installation.key) as client:
            while not (await client.mapping_targets()).targets:  # exports are told by an event
                await asyncio.sleep(0.05)
        await administrator.open("/export")
        await page.get_by_label("Also give codes of").select_option("SNOMEDCT")
        await page.get_by_role("button", name="Export", exact=True).click()
        await expect(page.get_by_text("with SNOMEDCT by uberon-snomed")).to_be_visible(timeout=30_000)
        async with page.expect_download() as download:
            await page.get_by_role("link", name="Download").click()
        content = Path(await (await download.value).path()).read_text(encoding="utf-8-sig")
        assert '"mapped_iri"' in content.splitlines()[0]
        # Who goes elsewhere finds it again.
        pages = page.get_by_role("navigation", name="Pages")
        await pages.get_by_role("link", name="People").click()
        await expect(page.get_by_role("heading", name="People")).to_be_visible()
        await pages.get_by_role("link", name="Export").click()
        await expect(page.get_by_text("with SNOMEDCT by uberon-snomed")).to_be_visible()
