from __future__ import annotations

import pytest

from alchemy.testbed import bench_burnin
from alchemy.testbed.bench_burnin import Usage

# pid, name, then the 3rd field of /proc/PID/stat and on: utime, stime, cutime and cstime are 1234, 66, 500, 25
STAT = "812 (alchemy) (x-bin) S 1 812 812 0 -1 4194560 9000 70000 3 4 1234 66 500 25 20 0 4 0 900 1 2 3"
CONSOLE = f"""\
alchemy login: \r
bench-burnin: 61.50 30720 29696 {STAT}\r
[  100.1] usb: bench-burnin: 1 2 3 4 (x) S\r
bench-burnin: 301.50 31744 30720 {STAT.replace("1234 66 500 25", "1400 80 600 75")}\r
bench-burnin: 302\
"""


def test_samples_are_read_from_a_console_among_other_lines() -> None:
    assert bench_burnin.parse(CONSOLE) == [
        Usage(uptime=61.5, own=13.0, children=5.25, peak=30720, resident=29696),
        Usage(uptime=301.5, own=14.8, children=6.75, peak=31744, resident=30720),
    ]
    assert bench_burnin.parse("") == []


def test_figures_are_the_growth_between_two_samples() -> None:
    assert bench_burnin.figures(*bench_burnin.parse(CONSOLE)) == {
        "seconds": 240.0,
        "cpu_seconds": 1.8,
        "cpu_percent": 0.75,
        "programs_cpu_seconds": 1.5,
        "vm_hwm_mb": 31.0,
        "vm_rss_mb": 30.0,
        "limits": {"cpu_percent": 1.0, "vm_hwm_mb": 40.0},
        "holds": True,
    }


@pytest.mark.parametrize(
    ("own", "peak", "holds"), [(12.0, 40 * 1024, True), (12.1, 1024, False), (11.0, 40 * 1024 + 1, False)]
)
def test_a_figure_beyond_its_limit_does_not_hold(own: float, peak: int, holds: bool) -> None:
    before = Usage(uptime=100.0, own=10.0, children=0.0, peak=1, resident=1)
    after = Usage(uptime=300.0, own=own, children=0.0, peak=peak, resident=1)
    assert bench_burnin.figures(before, after)["holds"] is holds
