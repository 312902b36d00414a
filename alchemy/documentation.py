"""What `help` prints."""

from __future__ import annotations

from pathlib import Path

from alchemy import parameters

_OVERVIEW = """\
Alchemy Linux: a small Linux that boots over PXE and runs entirely from RAM. This builds it.

  ./run build.all --version=1.2    bin/alchemy.img and bin/alchemy.ramfs, ready for PXE
  ./run build.info                 what would be built, and why (--sizes: what each package adds to the ramdisk)
  ./run boot.qemu                  boots bin/ here, over PXE in QEMU, console on the terminal
  ./run config.check               validates config.yml (config.yml.example explains every key)
  ./run build.log                  the log of what failed last (build.log STAGE: of a stage)
  ./run cache.info                 what the cache holds; cache.prune removes what nobody uses
  ./run util.shell                 a shell in the build chroot
  ./run util.clean                 removes the work directory (--all: the cache too)
  ./run test.all                   every test, ending with real boots
  ./run --list                     all commands; ./run --help TASK explains one

A failed command says what, why, and where its log is. README.md has the rest.

Boot parameters, on the kernel command line:

"""


def overview(root: Path) -> str:
    """The text of `help`, for the repository at `root`."""
    return _OVERVIEW + parameters.text(parameters.read(root / "chroot" / "early" / "parameters"))
