"""Runs benches, each in a process of its own, and writes docs/performance.md when all ran in full.

python -m bench [NAME ...] [--quick]
"""

import argparse
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bench.measure import Report, machine

ROOT: Final = Path(__file__).parents[1]
NAMES: Final = (
    "decisions",
    "assignments",
    "next_figure",
    "dashboard",
    "pages",
    "importing",
    "folders",
    "renditions",
    "views",
    "latency",
    "matching",
    "annotating",
    "large_vocabulary",
    "typeahead",
    "workbench",
    "telemetry",
    "cold_start",
    "chain",
    "scaling",
    "gateways",
)
ON_REQUEST: Final = ("searching",)  # needs a server that no package brings
HEAD: Final = """\
# Performance

What the main steps cost, measured by `make bench`: each beside a peer, the least that the same work could cost on this
machine, in the same run. Rounds of ours and of the peer take turns; a cell holds the median of the rounds (the lowest
to the highest). A p95 is taken within each round, then the median of the rounds. Goals that are missed stand as missed.

{date}, on {machine}.
"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures, into docs/performance.md.")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"{', '.join(NAMES)} (default: these), {', '.join(ON_REQUEST)}"
    )
    parser.add_argument("--quick", action="store_true", help="tiny sizes: shows that all run, measures nothing")
    given = parser.parse_args()
    if unknown := set(given.names) - {*NAMES, *ON_REQUEST}:
        parser.error(f"no such bench: {', '.join(sorted(unknown))}; choose from {', '.join((*NAMES, *ON_REQUEST))}")
    reports: dict[str, Report] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in given.names or NAMES:
            path = Path(folder, name)
            command = [sys.executable, "-m", f"bench.{name}", "--json", str(path)]
            print(f"--- {name}", flush=True)
            if subprocess.run(command + ["--quick"] * given.quick, cwd=ROOT, check=False).returncode == 0:
                reports[name] = Report.parse(path.read_text(encoding="utf-8"))
    if tuple(reports) == NAMES and not given.quick:
        (ROOT / "docs" / "performance.md").write_text(page(reports), encoding="utf-8")
    return 0 if len(reports) == len(given.names or NAMES) else 1


def page(reports: dict[str, Report]) -> str:
    """docs/performance.md."""
    parts = [HEAD.format(date=datetime.now(UTC).date(), machine=machine())]
    for name, report in reports.items():
        parts += [
            f"## {report.title}\n\n{report.how}",
            report.markdown(),
            f"What limits it: {report.limits}",
            f"Command: `python -m bench {name}`\n",
        ]
    return "\n\n".join(parts)


if __name__ == "__main__":
    sys.exit(main())
