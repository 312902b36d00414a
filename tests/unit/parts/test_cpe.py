from __future__ import annotations

import pytest

from alchemy.parts import cpe


@pytest.mark.parametrize(
    ("product", "version", "name"),
    [
        ("cpe:/a:sudo_project:sudo", "1.9.16_p2", "cpe:2.3:a:sudo_project:sudo:1.9.16:p2:*:*:*:*:*:*"),
        ("cpe:/a:openbsd:openssh", "10.0_p1-r2", "cpe:2.3:a:openbsd:openssh:10.0:p1:*:*:*:*:*:*"),
        ("cpe:/a:busybox:busybox", "1.37.0", "cpe:2.3:a:busybox:busybox:1.37.0:*:*:*:*:*:*:*"),
        ("cpe:/a:busybox:busybox", "1.37.0-r3", "cpe:2.3:a:busybox:busybox:1.37.0:*:*:*:*:*:*:*"),
        ("cpe:/a:openssl:openssl", "3.5.0_beta1", "cpe:2.3:a:openssl:openssl:3.5.0:beta1:*:*:*:*:*:*"),
        ("cpe:/a:openssl:openssl", "3.5.0_alpha", "cpe:2.3:a:openssl:openssl:3.5.0:alpha:*:*:*:*:*:*"),
        ("cpe:/a:vim:vim", "9.1+git~1", r"cpe:2.3:a:vim:vim:9.1\+git\~1:*:*:*:*:*:*:*"),
        ("cpe:/a:es:iperf3", "3.18", "cpe:2.3:a:es:iperf3:3.18:*:*:*:*:*:*:*"),
        ("", "1.0.7", None),
        ("cpe:2.3:a:x:y", "1.9.16_p2", None),
    ],
)
def test_a_package_has_the_name_that_the_vulnerability_database_has(
    product: str, version: str, name: str | None
) -> None:
    assert cpe.of_package(product, version) == name


def test_the_kernel_is_an_operating_system() -> None:
    assert cpe.of_kernel("6.12.118") == "cpe:2.3:o:linux:linux_kernel:6.12.118:*:*:*:*:*:*:*"
