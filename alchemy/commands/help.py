"""The text of `./run help`."""

from __future__ import annotations

from pathlib import Path

from alchemy.parts import parameters

_OVERVIEW = """\
Alchemy Linux: a small Linux that boots over PXE and runs entirely from RAM. This builds it.

  ./run build.all --version=1.2    build bin/alchemy.img and bin/alchemy.ramfs, ready for PXE
  ./run build.info                 show what would be built, and why (--sizes: the size of each package)
  ./run boot.qemu                  boot bin/ here, over PXE in QEMU; Ctrl-A X quits
  ./run config.check               validate config.yml; config.yml.example explains every key
  ./run build.log                  print the log of the last failure (build.log STAGE: of a stage)
  ./run util.shell                 open a shell in the build chroot (--network: with this host's network)
  ./run util.clean                 remove the work directory (--all: the cache too)
  ./run cache.info                 show what the cache holds; cache.prune removes what is not used
  ./run hardware.check FILE…       show which devices of a machine the image drives (of: lspci -nnvvk)
  ./run expect.check FILE          check an expectations file for alchemy-inventory
  ./run burnin.report RUN.JSONL    make the reports of a burn-in
  ./run ebuild.bump ATOM VERSION   move an ebuild to another version, with its Manifest
  ./run sbom.check FEED…           find known vulnerabilities (OSV records) of the packages in bin/
  ./run test.all                   run the tests, up to real boots
  ./run --list                     list all commands; ./run --help TASK explains one

A failed command prints the problem, a hint, and its log. README.md and docs/ explain the rest.

Boot parameters, on the kernel command line:

"""


def overview(root: Path) -> str:
    """Returns the text of `help` for the repository at `root`."""
    return _OVERVIEW + parameters.text(parameters.read(root / "chroot" / "early" / "parameters"))
