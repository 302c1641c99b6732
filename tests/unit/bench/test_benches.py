"""Every bench runs, with tiny sizes. How fast is for `make bench` on a quiet machine."""

import asyncio
import importlib
import sys
from pathlib import Path

import pytest

from bench.__main__ import NAMES, ON_REQUEST, page
from bench.measure import Measurement, Report

ROOT = Path(__file__).parents[3]


SERVERS = ("chain", "scaling", "gateways", "workbench")  # those that need real ones, or a browser


@pytest.mark.servers
@pytest.mark.usefixtures("meilisearch")
@pytest.mark.parametrize("name", ON_REQUEST)
async def test_bench_on_request_measures_too(name: str) -> None:
    await test_bench_measures(name)


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.servers if name in SERVERS else ()) for name in NAMES]
)
async def test_bench_measures(name: str) -> None:
    """In this process: starting one and importing everything takes longer than most of them."""
    report = await importlib.import_module(f"bench.{name}").bench(True)
    assert report.measurements
    assert all(min(one.ours) > 0 for one in report.measurements)


async def test_benches_are_run_by_name_and_print_their_tables() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench", "assignments", "--quick"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, complaints = await process.communicate()
    assert process.returncode == 0, complaints.decode()
    assert "## Handing out" in printed.decode()
    assert "| what | goal | ours | peer | ours / peer | |" in printed.decode()


def test_a_report_is_the_same_once_written_and_read() -> None:
    report = Report("Saving", "Twenty at once.", [Measurement("save", "ms", [29.0], "bare", [1.0], most=30)], "Python.")
    assert Report.parse(report.json()) == report


def test_every_bench_is_run() -> None:
    written = {path.stem for path in (ROOT / "bench").glob("*.py") if "measure.main(" in path.read_text("utf-8")}
    assert written - {"measure"} == {*NAMES, *ON_REQUEST}


@pytest.mark.parametrize(
    ("measurement", "met"),
    [
        (Measurement("save", "ms", [29.0, 30.0, 50.0], most=30), True),
        (Measurement("save", "ms", [29.0, 30.5, 31.0], most=30), False),
        (Measurement("rate", "figures/s", [5000.0], least=5000), True),
        (Measurement("rate", "figures/s", [4999.0], least=5000), False),
        (Measurement("rate", "figures/s", [4999.0]), None),
    ],
)
def test_median_decides_whether_a_goal_is_met(measurement: Measurement, met: bool | None) -> None:
    assert measurement.met is met


def test_page_says_what_was_missed_and_how_to_measure_it_again() -> None:
    found = Measurement("save", "ms", [40.0, 60.0, 80.0], "bare", [1.0, 2.0, 3.0], most=30)
    text = page({"decisions": Report("Saving", "Twenty at once.", [found], "Python.")})
    assert "| save | ≤ 30 ms | 60.0 ms (40.0 to 80.0) | bare: 2.00 ms (1.00 to 3.00) | 30.00 | **missed** |" in text
    assert "python -m bench decisions" in text
    assert "What limits it: Python." in text
