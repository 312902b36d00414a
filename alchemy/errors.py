"""What can go wrong, by whose fault it is: the exit status follows from the class."""

from __future__ import annotations


class AlchemyError(Exception):
    """One message for the user, with an optional hint. Raised as itself it means a bug of ours."""

    status = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\nhint: {self.hint}"


class UserError(AlchemyError):
    """The user's configuration, command line or host has to change."""

    status = 2


class BuildError(AlchemyError):
    """A build step failed."""

    status = 3


class VerificationError(AlchemyError):
    """Something that was fetched or built isn't what it has to be."""

    status = 4
