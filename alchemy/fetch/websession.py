"""HTTP as Alchemy speaks it: a redirect never takes away the encryption that a URL asks for."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

import requests

from alchemy.errors import UserError


class WebSession(requests.Session):
    """A session that follows no redirect from https to anything else."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """The URL that a response redirects to, None when it does not. Raises UserError for a refused one."""
        target = super().get_redirect_target(resp)
        if target is None or not resp.url.startswith("https:"):
            return target
        scheme = urlsplit(urljoin(resp.url, target)).scheme
        if scheme != "https":
            raise UserError(f"{resp.url}: refused: it redirects to {scheme} (expected https)")
        return target
