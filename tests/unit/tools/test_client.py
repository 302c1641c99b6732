"""The client that blocks says what the one for asyncio says."""

from tools.client import RESULT, SOURCE, blocking


def test_the_client_that_blocks_is_what_make_generated_writes() -> None:
    written = blocking(SOURCE.read_text(encoding="utf-8"))
    assert RESULT.read_text(encoding="utf-8") == written, "run `make generated` after changing asynchronous.py"


def test_nothing_in_it_waits_on_a_loop() -> None:
    source = "import asyncio\n\n\nasync def end(file: File) -> bytes:\n    await asyncio.sleep(1)\n"
    source += "    read = await asyncio.to_thread(file.read, 1)\n    return (await read.aread()).items\n"
    written = blocking(f'"""For asyncio."""\n\n{source}')
    assert "async" not in written.removeprefix(written.splitlines()[0])
    assert "await" not in written
    assert "read = file.read(1)\n    return read.read().items\n" in written
