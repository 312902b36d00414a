"""The node's own code, used on the build host."""

from __future__ import annotations

import sys
from pathlib import Path

_NODE = Path(__file__).resolve().parents[2] / "chroot" / "node"


def find() -> None:
    """Makes alchemy_node importable: the build does not depend on it, so it is not installed."""
    if str(_NODE) not in sys.path:
        sys.path.append(str(_NODE))
