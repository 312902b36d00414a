"""What all tasks share: the repository, errors as messages, the context, output."""

from __future__ import annotations

import errno
import functools
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from invoke.exceptions import Exit

from alchemy import context
from alchemy.commands import debug
from alchemy.errors import AlchemyError, BuildError, UserError, visible
from alchemy.host import folders, full_disk

ROOT = Path(__file__).resolve().parent.parent
VERSION_HELP = "version of the image (default: wip)"
OFFLINE_HELP = "never use the network; fail on what the cache does not hold"
DEBUG_HELP = "open a shell in the chroot of a command that fails, before the build ends"
JSON_HELP = "print JSON"

# OS errors that the user can fix. A full disk is one of the build; any other OS error is a bug of ours.
_HOST_ERRORS = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


def command(body: Callable[..., None]) -> Callable[..., None]:
    """Turns our errors into a message and an exit status, where Invoke would print a traceback."""

    @functools.wraps(body)
    def wrapper(*args: Any, **kwargs: Any) -> None:
        # the permissions of what a build makes must not depend on the user's umask
        os.umask(0o022)
        try:
            body(*args, **kwargs)
        except AlchemyError as error:
            raise Exit(f"error: {error}", error.status) from error
        except OSError as error:
            if error.errno not in _HOST_ERRORS | full_disk.FULL:
                raise
            status = UserError.status if error.errno in _HOST_ERRORS else BuildError.status
            raise Exit(visible(f"error: {error.filename or 'the disk'}: {error.strerror}"), status) from error
        except KeyboardInterrupt:
            raise Exit("stopped: complete stages are kept, and the next run resumes after them", 130) from None

    return wrapper


def checked(
    version: str = "wip", *, offline: bool = False, events: bool = False, debug_shell: bool = False
) -> context.Context:
    """Returns the context of a command that reads work_dir or cache_dir, after checking that both are safe to read.

    Raises UserError for `debug_shell` with `events`: a shell would write to stdout between the objects.
    """
    if debug_shell and events:
        raise UserError("--debug-shell: not allowed with --json")
    run = context.create(ROOT, version, offline=offline, events=events)
    folders.verify(run)
    return debug.with_shell(run) if debug_shell else run


def say(text: str) -> None:
    """Prints text with names that others chose: files, packages, branches."""
    print(visible(text))


def as_json(value: object, *, indent: int | None = 2) -> str:
    """Returns a value as JSON text."""
    return json.dumps(value, indent=indent)
