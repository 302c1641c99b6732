"""Writes the client that blocks from the one for asyncio: python -m tools.client

They differ in nothing but how they wait, so one is written by hand and the other is what it says without `await`.
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

CLIENT: Final = Path(__file__).parent.parent / "mitagger" / "client"
SOURCE: Final = CLIENT / "asynchronous.py"
RESULT: Final = CLIENT / "synchronous.py"
HEAD: Final = '"""The client that blocks. Written by `make generated` from asynchronous.py: change that one."""\n'

# In order.
CHANGES: Final = (
    (r'\A""".*?"""\n', HEAD),
    (r"\(await (.+)\)(\.\w+)$", r"\1\2"),
    (r"asyncio\.to_thread\(([\w.]+), ", r"\1("),
    (r"for (\w+) in (.+):\n +yield \1$", r"yield from \2"),
    (r"\b(await|async) ", ""),
    (r"asyncio\.sleep", "time.sleep"),
    (r"^import asyncio\n", ""),
    (r"\bAsync(?=[A-Z])", ""),
    (r"__a(?=enter__|exit__)", "__"),
    (r"\ba(?=close\b|read\b|iter_|connect_)", ""),
)


def blocking(source: str) -> str:
    """What asynchronous.py says, without waiting on a loop; formatted."""
    for pattern, change in CHANGES:
        source = re.sub(pattern, change, source, flags=re.MULTILINE)
    return _ruff(_ruff(source, "check", "--fix", "--quiet", "--exit-zero", "--select=I"), "format")


def _ruff(source: str, *command: str) -> str:
    ruff = [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(RESULT), "-"]
    done = subprocess.run(ruff, input=source, capture_output=True, text=True, check=True, timeout=60)  # noqa: S603
    return done.stdout


if __name__ == "__main__":
    RESULT.write_text(blocking(SOURCE.read_text(encoding="utf-8")), encoding="utf-8")
