"""The releases of a project in the Python package index, by the names of the source archives on its page."""

from __future__ import annotations

import re
from pathlib import Path

from alchemy.context import Context
from alchemy.errors import AlchemyError, BuildError
from alchemy.fetch import download, python_index


def find(context: Context, project: str, log: Path) -> list[str]:
    """Returns the final releases of a project with a source archive in the indexes that pip is configured for.

    Raises BuildError with the reason when none is known.
    """
    archive = re.compile(rf"{re.escape(project)}-(\d+(?:\.\d+)*)\.(?:tar\.\w+|zip)")
    found: list[str] = []
    try:
        index = python_index.configured(context, log)
        for page in index.pages:
            # a folder of this host has a page as a file
            url = f"{page}/{project}/{'index.html' if page.startswith('file:') else ''}"
            try:
                content = download.small(context, url, attempts=1, settings=index.settings)
            except download.NotThereError:
                continue
            names = map(download.file_name, python_index.parse_page(content, url))
            found += [match[1] for name in names if (match := archive.fullmatch(name))]
    except AlchemyError as error:
        raise BuildError(error.message.splitlines()[0]) from error
    if not found:
        raise BuildError(f"the Python package index has no source archive of {project}")
    return found
