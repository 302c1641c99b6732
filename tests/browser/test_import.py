"""A folder goes in as it is, with its bad rows told."""

import io
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.browser.conftest import HOSTILE, Installation, visit
from tests.support.images import png

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]


async def test_a_folder_goes_in_and_says_row_by_row_what_does_not(
    installation: Installation, chromium: Browser, tmp_path: Path
) -> None:
    folder = tmp_path / "ward ä"
    (folder / "pictures").mkdir(parents=True)
    (folder / "pictures" / "one.png").write_bytes(png(77))
    (folder / ".hidden").write_text("no figure")
    legend = HOSTILE.replace('"', '""')
    (folder / "figures.csv").write_text(
        f'collection,file,label,legend\nWard,pictures/one.png,A,"{legend}"\nWard,pictures/missing.png,B,x\n',
        encoding="utf-8",
    )
    async with visit(chromium, installation.url) as administrator:
        page = administrator.page
        await administrator.context.set_extra_http_headers({"Authorization": f"Bearer {installation.key}"})
        await administrator.open("/import")
        await page.get_by_label("Choose a folder").set_input_files(str(folder))
        row = page.get_by_role("row").filter(has_text="ward ä")
        await expect(row).to_contain_text("Done", timeout=30_000)
        await row.get_by_role("button", name="Report").click()
        await expect(page.get_by_role("row").filter(has_text="pictures/missing.png").last).to_be_visible()
        async with page.expect_download() as file:
            await page.get_by_role("button", name="Download as CSV").click()
        assert "missing.png" in Path(await (await file.value).path()).read_text(encoding="utf-8-sig")
    (figure,) = [one async for one in installation.admin.figures() if one.label == "A"]
    assert figure.legend == HOSTILE


async def test_a_picture_that_may_show_a_name_is_looked_at_and_blacked_out_by_keyboard(
    installation: Installation, chromium: Browser
) -> None:
    upload = (await installation.admin.upload(io.BytesIO(png(78, comment="Screenshot")))).upload
    job = await installation.admin.start_import("ward", 1)
    row = {"row": 1, "collection": "ward", "file": "1.png", "upload": upload, "label": "Screen", "legend": "A liver."}
    (result,) = await installation.admin.import_rows(job.id, [row])
    async with visit(chromium, installation.url) as administrator:
        page = administrator.page
        await administrator.context.set_extra_http_headers({"Authorization": f"Bearer {installation.key}"})
        await administrator.open("/quarantine")
        await page.get_by_role("button", name="Screen").click()
        await expect(page.get_by_text("A screenshot")).to_be_visible()
        await page.get_by_role("button", name="Top edge").click()
        await page.get_by_role("application", name="1 part is black").press("Shift+ArrowDown")
        await page.get_by_role("button", name="Black out this part and release").click()
        await expect(page.get_by_text("Nothing waits")).to_be_visible()
    decided = await installation.admin.quarantined(str(result.figure))
    assert (decided.state, [one.height for one in decided.blacked]) == ("blacked_out", [7])  # 12 % of 48, and one more
