"""What every bench shares: alternated rounds of ours and its peer, medians with their spread, a table.

A bench is a module with a coroutine that returns a `Report`, and `measure.main(bench)` below it. Ours and the peer run
in turn in one process run, so that a busy machine slows both; the first round warms up and is not counted.
"""

import argparse
import asyncio
import json
import os
import platform
import statistics
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Measurement:
    """One value a round, ours and the peer's. `most` or `least` is the goal, where there is one."""

    what: str
    unit: str
    ours: Sequence[float]
    peer_name: str = ""
    peer: Sequence[float] = ()
    most: float | None = None
    least: float | None = None

    @property
    def met(self) -> bool | None:
        """Null without a goal. The median decides."""
        if self.most is None and self.least is None:
            return None
        median = statistics.median(self.ours)
        return (self.most is None or median <= self.most) and (self.least is None or median >= self.least)


@dataclass(frozen=True, slots=True)
class Report:
    """What a bench found. `how` says what was measured and how, `limits` what keeps it from being faster."""

    title: str
    how: str
    measurements: Sequence[Measurement]
    limits: str

    def json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def parse(cls, text: str) -> Self:
        values = json.loads(text)
        return cls(**{**values, "measurements": [Measurement(**one) for one in values["measurements"]]})

    def markdown(self) -> str:
        """A table: median (lowest to highest round)."""
        lines = ["| what | goal | ours | peer | ours / peer | |", "|---|---|---|---|---|---|"]
        for one in self.measurements:
            goal = f"≤ {one.most:,g} {one.unit}" if one.most is not None else ""
            goal = f"≥ {one.least:,g} {one.unit}" if one.least is not None else goal
            peer = f"{one.peer_name}: {_spread(one.peer, one.unit)}" if one.peer else ""
            ratio = f"{statistics.median(one.ours) / statistics.median(one.peer):.2f}" if one.peer else ""
            verdict = {True: "met", False: "**missed**", None: ""}[one.met]
            lines.append(f"| {one.what} | {goal} | {_spread(one.ours, one.unit)} | {peer} | {ratio} | {verdict} |")
        return "\n".join(lines)


async def alternated(rounds: int, ways: Mapping[str, Callable[[], Awaitable[T]]]) -> dict[str, list[T]]:
    """What each way returned in each round. A round before them warms up; a single one, which measures nothing, needs
    none."""
    found: dict[str, list[T]] = {name: [] for name in ways}
    for _ in range(turns(rounds)):
        for name, way in ways.items():
            found[name].append(await way())
    return {name: values[-rounds:] for name, values in found.items()}


def turns(rounds: int) -> int:
    """How many rounds there are with the one that warms up."""
    return rounds + 1 if rounds > 1 else rounds


def percentile(samples: Sequence[float], percent: int) -> float:
    return statistics.quantiles(samples, n=100, method="inclusive")[percent - 1]


def machine() -> str:
    """The machine in a line."""
    memory = ""
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        memory = f", {os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB memory"
    return f"{os.cpu_count()} cores of {_processor()}{memory}, {platform.system()}, Python {platform.python_version()}"


def main(bench: Callable[[bool], Coroutine[Any, Any, Report]]) -> None:
    """Runs the bench and prints its table. `bench` gets whether a smoke run is enough."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="tiny sizes: shows that it runs, measures nothing")
    parser.add_argument("--json", type=Path, help="also write the report to this file")
    given = parser.parse_args()
    report = asyncio.run(bench(given.quick))
    print(f"{machine()}\n\n## {report.title}\n\n{report.how}\n\n{report.markdown()}")
    if given.json:
        given.json.write_text(report.json(), encoding="utf-8")


def _spread(values: Sequence[float], unit: str) -> str:
    low, middle, high = (_number(value) for value in (min(values), statistics.median(values), max(values)))
    return f"{middle} {unit}" + (f" ({low} to {high})" if len(values) > 1 else "")


def _number(value: float) -> str:
    """Three digits that count."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
