from __future__ import annotations

import errno
import os

import pytest

from alchemy.context import Context
from alchemy.errors import BuildError, UserError
from alchemy.host import full_disk


@pytest.mark.parametrize("code", sorted(full_disk.FULL))
def test_a_full_disk_is_a_failed_build_that_says_where_room_is_needed(context: Context, code: int) -> None:
    with pytest.raises(BuildError, match=rf"^/cache/x: {os.strerror(code)}") as caught, full_disk.explained(context):
        raise OSError(code, os.strerror(code), "/cache/x")
    assert caught.value.hint
    assert all(str(folder) in caught.value.hint for folder in (context.work, context.cache, context.bin))
    assert "cache.prune" in caught.value.hint


def test_a_program_that_met_a_full_disk_is_explained_too(context: Context) -> None:
    message = "unpacking failed with status 2\n  tar: x: Cannot write: No space left on device"
    with (
        pytest.raises(BuildError, match=r"^the disk is full: unpacking failed") as caught,
        full_disk.explained(context),
    ):
        raise BuildError(message)
    assert caught.value.hint


@pytest.mark.parametrize(
    "error", [OSError(errno.EACCES, "Permission denied", "/x"), BuildError("no gold"), UserError("no"), ValueError()]
)
def test_other_errors_stay_as_they_are(context: Context, error: Exception) -> None:
    with pytest.raises(type(error)) as caught, full_disk.explained(context):
        raise error
    assert caught.value is error
