"""The command line: Invoke's, with our exit status for a bad command line and forms that Invoke cannot express."""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import invoke
from invoke.exceptions import Exit, ParseError
from invoke.program import Program as InvokeProgram

from alchemy.errors import UserError, visible

# the messages of Invoke and of int() that we replace
_UNKNOWN = re.compile(r"No idea what '(.*)' is!")
_NOT_A_NUMBER = re.compile(r"invalid literal for int\(\) with base 10: '(.*)'")

# the tasks that take any number of words, each with its option for one of them
_REPEATED = {"hardware.check": "file", "sbom.check": "feed"}


class Program(InvokeProgram):
    """Runs the tasks of tasks.py. A command line that cannot be parsed ends with status 2, where Invoke has 1."""

    def parse_core(self, argv: list[str] | None) -> None:
        kept = sys.dont_write_bytecode
        with _refusing():
            super().parse_core(argv)
        # by Invoke's default every task would compile all modules again, which takes a third of the time of `help`
        sys.dont_write_bytecode = kept

    def parse_tasks(self) -> None:
        self.core.unparsed = rewrite(self.core.unparsed)
        with _refusing():
            super().parse_tasks()

    def parse_cleanup(self) -> None:
        with _refusing():
            super().parse_cleanup()


@contextmanager
def _refusing() -> Iterator[None]:
    """Turns a parse error into a message and status 2. Invoke raises ValueError for a bad number."""
    try:
        yield
    except (ParseError, ValueError) as error:
        problem = _NOT_A_NUMBER.sub(r"\1: not a number", _UNKNOWN.sub(r"\1: unknown task or option", str(error)))
        raise Exit(visible(f"error: {problem}\nhint: ./run --list, or ./run --help TASK"), UserError.status) from error


def rewrite(words: list[str]) -> list[str]:
    """Returns a command line with `build.log STAGE` as `build.log --stage=STAGE`, `sbom.check FEED…` as
    `sbom.check --feed=FEED…` (and so for FILE… of hardware.check), and `--k X` as `-k X`.

    Invoke has no optional or repeated positional arguments, and no long options of one letter.
    """
    rewritten = list(words)
    for task, option in _REPEATED.items():
        if task in words:
            for at in range(words.index(task) + 1, len(words)):
                if not words[at].startswith("-") and words[at - 1] != f"--{option}":
                    rewritten[at] = f"--{option}={words[at]}"
    for at, (task, stage) in enumerate(itertools.pairwise(words)):
        if task == "build.log" and "." not in stage and not stage.startswith("-"):
            rewritten[at + 1] = f"--stage={stage}"
    return [part for word in rewritten for part in _short(word)]


def _short(word: str) -> list[str]:
    name, equals, value = word.partition("=")
    if name != "--k":
        return [word]
    return ["-k", value] if equals else ["-k"]


def create() -> Program:
    """Returns the program under the names by which it is called."""
    return Program(name="Invoke", binary="./run", binary_names=["invoke", "inv"], version=invoke.__version__)


def main() -> None:
    """Runs the program with the arguments of this process, and exits."""
    create().run()
