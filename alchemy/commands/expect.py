"""Checks an expectations file on the build host, with the node's own code."""

from __future__ import annotations

from alchemy.commands import node
from alchemy.errors import BuildError, UserError, visible


def check(source: str) -> str:
    """Checks a file, or an http or https URL; returns a line for each kind of machine in it.

    Raises UserError with all that is wrong with it, BuildError when a URL cannot be fetched.
    """
    node.find()
    from alchemy_node import web
    from alchemy_node.expect import file

    try:
        machines = file.load(source)
    except file.ExpectationsError as error:
        hint = "docs/expectations.md has the keys; alchemy-inventory --learn, on a good node, writes a file"
        raise UserError(str(error), hint=hint) from error
    except web.UrlError as error:
        raise UserError(str(error)) from error
    except web.WebError as error:
        raise BuildError(str(error)) from error
    return "".join(f"{visible(machine.name)}: {_count(len(machine.tables), 'table')}\n" for machine in machines)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
