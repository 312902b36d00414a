"""The architecture that an image is for: all that differs between architectures."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Arch:
    """An architecture, as each of the tools names it.

    `name` is that of uname(1) and QEMU, `debian` that of dpkg, `kernel` that of the kernel's source below arch/. `bcj`
    is the filter of xz for its machine code. `kernel_image` is the file that a boot loader starts, below the kernel's
    source.
    """

    name: str
    debian: str
    bcj: str
    kernel: str
    kernel_image: str

    @property
    def qemu(self) -> str:
        """The program of QEMU that emulates it."""
        return f"qemu-system-{self.name}"


X86_64 = Arch(name="x86_64", debian="amd64", bcj="x86", kernel="x86", kernel_image="arch/x86/boot/bzImage")

ARCH = X86_64
