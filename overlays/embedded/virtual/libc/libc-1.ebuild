# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="The C library, which Portage has every ELF package depend on"
SLOT="0"
KEYWORDS="amd64"

RDEPEND="sys-libs/glibc:2.2"
