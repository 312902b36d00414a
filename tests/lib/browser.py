"""The browser of the host."""

from __future__ import annotations

import shutil

from tests import repository

_NAMES = ("chromium", "chromium-browser", "google-chrome")


def program() -> str:
    """Returns the path of Chromium. Skips the test where there is none; in CI the test fails."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    return found or repository.skip_or_fail("no Chromium on this host: apt-get install chromium")
