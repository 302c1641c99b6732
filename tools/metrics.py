"""Writes the table of metrics in docs/operations.md, with the alerts that each is part of: python -m tools.metrics"""

import re
from pathlib import Path
from typing import Any, Final

import yaml

from shared import metrics

ROOT: Final = Path(__file__).parent.parent
PAGE: Final = ROOT / "docs" / "operations.md"
RULES: Final = ROOT / "deploy" / "prometheus" / "rules.yml"
BEGIN: Final = "<!-- written by make generated: the comments in shared/metrics.py, the alerts in rules.yml -->\n"
END: Final = "<!-- end of what is written -->\n"


def alerts() -> list[dict[str, Any]]:
    """The alert rules, in order."""
    return [rule for group in yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"] for rule in group["rules"]]


def asked(expression: str) -> set[str]:
    """The names of our metrics in an expression; a histogram's without the ending of its parts."""
    names = re.findall(r"\bmitagger_\w+", expression)
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in names}


def anchor(rule: dict[str, Any]) -> str:
    return str(rule["annotations"]["runbook"]).partition("#")[2]


def table() -> str:
    """The metrics as a Markdown table."""
    rules = alerts()
    rows = ["| metric | kind | labels | what it says | alert |", "|---|---|---|---|---|"]
    for name, (kind, labels) in metrics.MADE.items():
        on = ", ".join(f"[{rule['alert']}](#{anchor(rule)})" for rule in rules if name in asked(rule["expr"]))
        shown = ", ".join(f"`{label}`" for label in labels)
        rows.append(f"| `{name}` | {kind} | {shown} | {metrics.DESCRIBED[name]} | {on} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(before + BEGIN + "\n" + table() + "\n" + END + after, encoding="utf-8")
