"""The command bench.burnin: measures what the burn-in's supervisor takes while it watches a booted machine."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from alchemy.context import Context
from alchemy.errors import BuildError
from alchemy.host import folders
from alchemy.testbed import qemu

MOST_PERCENT = 1.0
MOST_MB = 40.0
LEAST_SECONDS = 180

_BOOT_SECONDS = 600
# on the other side of QEMU's user network
_HOST = "10.0.2.2"
# ticks of a second in /proc/PID/stat (proc(5)): sysconf(_SC_CLK_TCK) of Linux on x86
_TICKS = 100
_MARK = "bench-burnin:"
# Runs as root in the guest, and prints two samples. Until the first value is recorded, the supervisor starts up.
_SCRIPT = """\
#!/bin/sh
alchemy-burnin --only kernel,pcie,bmc --time 12h >/tmp/bench-burnin.out 2>&1 &
pid=$!
say() {{
	memory=$(sed -n 's/^Vm\\(HWM\\|RSS\\):[[:space:]]*\\([0-9]*\\) kB/\\2/p' "/proc/$pid/status" | tr '\\n' ' ')
	read -r uptime _ </proc/uptime
	read -r stat <"/proc/$pid/stat"
	printf '\\n{mark} %s %s%s\\n' "$uptime" "$memory" "$stat"
}}
until grep -qs measurementSeriesElement /var/log/alchemy/burnin/*/run.jsonl; do
	[ -e "/proc/$pid" ] || {{ cat /tmp/bench-burnin.out; printf '\\n{mark} ended\\n'; exit 1; }}
	sleep 1
done
say
sleep {seconds}
say
"""
# a BMC, a drive with a thermometer, and a port behind a PCIe root port: a source for each watch
_PARTS = (
    "-device", "ipmi-bmc-sim,id=bmc", "-device", "isa-ipmi-kcs,bmc=bmc",
    "-drive", "if=none,id=disk,driver=null-co,size=64M,read-zeroes=on", "-device", "nvme,drive=disk,serial=BENCH",
    "-device", "pcie-root-port,id=root,chassis=1,slot=1,x-speed=2_5,x-width=1",
    "-netdev", "hubport,id=cable,hubid=1", "-device", "e1000e,netdev=cable,bus=root,romfile=",
)  # fmt: skip


@dataclass(frozen=True)
class Usage:
    """What a process has taken: `own` CPU seconds of all its threads, those of its `children` that have ended, and
    kB of memory; `uptime` is when, in seconds since the machine started."""

    uptime: float
    own: float
    children: float
    peak: int
    resident: int


def parse(console: str) -> list[Usage]:
    """Returns the samples on a console, in their order."""
    found = re.findall(rf"^{_MARK} ([0-9.]+) ([0-9]+) ([0-9]+) [0-9]+ \(.*\) (.*?)\r*$", console, re.MULTILINE)
    samples = []
    for uptime, peak, resident, rest in found:
        # /proc/PID/stat from its third field on: utime, stime, cutime and cstime are the 14th to the 17th (proc(5))
        ticks = [int(word) for word in rest.split()[11:15]]
        own, children = sum(ticks[:2]) / _TICKS, sum(ticks[2:]) / _TICKS
        samples.append(Usage(float(uptime), own, children, int(peak), int(resident)))
    return samples


def figures(before: Usage, after: Usage) -> dict[str, Any]:
    """Returns the share of one core between two samples, and the memory at the second one, beside their limits."""
    seconds = after.uptime - before.uptime
    percent = 100 * (after.own - before.own) / seconds
    peak = after.peak / 1024
    return {
        "seconds": round(seconds, 1),
        "cpu_seconds": round(after.own - before.own, 2),
        "cpu_percent": round(percent, 2),
        "programs_cpu_seconds": round(after.children - before.children, 2),
        "vm_hwm_mb": round(peak, 1),
        "vm_rss_mb": round(after.resident / 1024, 1),
        "limits": {"cpu_percent": MOST_PERCENT, "vm_hwm_mb": MOST_MB},
        "holds": percent <= MOST_PERCENT and peak <= MOST_MB,
    }


def measure(context: Context, memory: int, seconds: int) -> dict[str, Any]:
    """Boots bin/ in QEMU, and has a burn-in watch there without load for so many seconds, of at least three minutes.

    `programs_cpu_seconds` is what the tools took that the supervisor asks (ipmitool, smartctl). Without KVM the guest's
    CPU seconds are many times those of the hardware.
    """
    folders.prepare(context)
    seconds = max(LEAST_SECONDS, seconds)
    kvm = qemu.kvm_works(context)
    log = context.logfile("bench-burnin")
    log.unlink(missing_ok=True)
    with _serving(_SCRIPT.format(mark=_MARK, seconds=seconds).encode()) as url:
        machine = qemu.Machine(
            tftp=context.bin, memory=memory, processors=1, kvm=kvm, serial=f"file:{log}", extra=_PARTS,
            direct=qemu.direct(context, f"command_url={url}"),
        )  # fmt: skip
        process = context.runner.start(qemu.argv(machine), log=context.logfile("bench-qemu"))
        end = time.monotonic() + _BOOT_SECONDS + seconds
        try:
            while True:
                console = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
                samples = parse(console)
                if len(samples) > 1:
                    break
                if time.monotonic() > end or f"{_MARK} ended" in console or process.poll() is not None:
                    raise BuildError(f"bin/: the burn-in was not measured\n{console[-2000:]}", hint="./run boot.qemu")
                time.sleep(1)
        finally:
            process.kill()
            process.wait()
    return {"kvm": kvm, "memory_mb": memory, **figures(*samples[:2])}


@contextmanager
def _serving(script: bytes) -> Iterator[str]:
    """Serves the script on the loopback; yields the URL by which the guest reaches it."""

    class Handler(BaseHTTPRequestHandler):
        """Answers each request with the script."""

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(script)))
            self.end_headers()
            self.wfile.write(script)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name in the base class)
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://{_HOST}:{server.server_port}/watch"
        finally:
            server.shutdown()
            thread.join()
