"""Writes docs/settings.md from shared/settings.py: python -m tools.settings"""

from pathlib import Path
from typing import Final

from shared.settings import table

PAGE: Final = Path(__file__).parent.parent / "docs" / "settings.md"
HEAD: Final = """# Settings

A flag of the command line comes first, then the environment, then `mitagger.toml` in the current folder, then the
default. This table is generated from `shared/settings.py` by `make generated`.

"""

if __name__ == "__main__":
    PAGE.write_text(HEAD + table(), encoding="utf-8")
