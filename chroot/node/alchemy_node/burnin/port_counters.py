"""Read what network ports count by themselves: broken symbols and checksums that the kernel's counters leave out."""

from __future__ import annotations

import re
from collections.abc import Iterable

from alchemy_node.burnin.activity import Activity, ask
from alchemy_node.burnin.sample import MOST, Key, Sample

# each driver has names of its own: rx_crc_errors_phy, port.rx_crc_errors, rx_symbol_err_phy, rx_align_errors ...
_LINE = re.compile(r"^ *(\S*(?:crc|fcs|symbol|align)\S*): ([0-9]{1,19})$", re.IGNORECASE)
_ERROR = re.compile(r"err", re.IGNORECASE)


def parse(interface: str, text: str) -> Sample:
    """Returns the sum of the counters of broken frames, from ethtool -S; no counter where the driver has none."""
    found = [_LINE.match(line) for line in text.splitlines()[:MOST]]
    values = [int(line[2]) for line in found if line is not None and _ERROR.search(line[1])]
    return Sample({Key("nic", interface, "port_errors"): sum(values)} if values else {})


def collect(interfaces: Iterable[str]) -> Activity[Sample]:
    """Samples each interface."""
    whole = Sample()
    for interface in interfaces:
        output = yield ask("ethtool", "-S", interface)
        if output.status == 0:
            whole |= parse(interface, output.stdout)
        else:
            # half of its counters cannot be compared
            whole |= Sample(missing={f"ports {interface}": output.problem or "no answer"})
    return whole
