"""Cells of tables that people open in spreadsheets."""

from typing import Final

# Spreadsheets run a cell that begins with one of these as a formula (OWASP, "CSV Injection"). The apostrophe itself is
# among them, so that taking one leading apostrophe off gives every cell back as it was.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", "'")


def guarded(cell: str) -> str:
    """The cell, with an apostrophe in front where a spreadsheet would run it as a formula."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
