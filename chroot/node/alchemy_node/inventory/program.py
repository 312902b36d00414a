"""alchemy-inventory: what this machine is."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from alchemy_node import judging, web
from alchemy_node.expect import compare, file, learn, report
from alchemy_node.intake import collins_files
from alchemy_node.inventory import document, view
from alchemy_node.inventory.facts import Json
from alchemy_node.judging.finding import Verdict
from alchemy_node.machine import Machine
from alchemy_node.status import Status


def main(arguments: Sequence[str], machine: Machine | None = None, out: TextIO | None = None) -> int:
    """Runs alchemy-inventory, and returns its exit status."""
    machine, out = machine or Machine(), out or sys.stdout
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.expect and (options.learn or options.collins):
        parser.error(f"argument --expect: not allowed with argument {'--learn' if options.learn else '--collins'}")
    if machine.root == Path("/") and os.geteuid() != 0:
        print("alchemy-inventory: needs root, for DMI, disks and the BMC (sudo alchemy-inventory)", file=sys.stderr)
        return Status.USAGE
    try:
        return _run(machine, options, out)
    except (file.ExpectationsError, web.UrlError) as error:
        _say(str(error))
        return Status.USAGE
    except (web.WebError, learn.LearnError) as error:
        _say(str(error))
        return Status.ERROR
    except BrokenPipeError:
        # whoever read has read enough; the interpreter must not complain about it when it flushes
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Status.ERROR
    except KeyboardInterrupt:
        return Status.ERROR
    except Exception:
        # Python's own status for a traceback is that of a machine that failed
        traceback.print_exc()
        return Status.ERROR


def _run(machine: Machine, options: argparse.Namespace, out: TextIO) -> Status:
    # a fault of the file is reported before the machine is read
    expected = file.load(options.expect, options.expect_sha256 or "") if options.expect else ()
    found = document.collect(machine)
    if options.collins:
        return collins_files.write(machine, found, Path(options.collins), out)
    if options.expect:
        comparison = compare.compare(found, expected)
        text, status = report.report(comparison, expected, found["alchemy"]["system"]), Status(comparison.status)
    elif options.json:
        text, status = "", Status.PASS
    else:
        text, status = _judged(found, options.learn)
    if options.json:
        # the document is all that a program reads; what differs goes to whoever watches
        _say(text)
        text = json.dumps(found, indent=2) + "\n"
    out.write(text)
    out.flush()
    return status


def _judged(found: Json, learned: bool) -> tuple[str, Status]:
    """The page of text, or the expectations that are learned from the machine."""
    findings = judging.judge(found)
    failed = [finding for finding in findings if finding.verdict is Verdict.FAIL]
    if learned:
        for finding in failed:
            _say(f"not a good machine to learn from: {finding}")
    text = learn.learn(found) if learned else view.text(found, findings)
    return text, Status.FAIL if failed else Status.PASS


def _say(text: str) -> None:
    for line in text.splitlines():
        print(f"alchemy-inventory: {line}" if line else "", file=sys.stderr)


def _digest(text: str) -> str:
    if not re.fullmatch(r"[0-9A-Fa-f]{64}", text):
        raise argparse.ArgumentTypeError("not a SHA-256 (expected 64 hexadecimal digits)")
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="alchemy-inventory",
        allow_abbrev=False,
        description="Says what this machine is. It only reads it.",
        epilog="Exit status: 0 pass, 1 the machine is not as it has to be, 2 the command line, 3 nothing was proven.",
    )
    forms = parser.add_mutually_exclusive_group()
    forms.add_argument("--json", action="store_true", help="print the whole document, which Ironic's inspection takes")
    forms.add_argument(
        "--collins", metavar="DIR", help="write lshw.xml and lldp.xml there as Collins takes them, and repairs.json"
    )
    forms.add_argument("--learn", action="store_true", help="print an expectations file, learned from this machine")
    parser.add_argument("--expect", metavar="FILE|URL", help="print what differs from an expectations file (TOML)")
    parser.add_argument("--expect-sha256", metavar="HEX", type=_digest, help="the SHA-256 of that file")
    return parser
