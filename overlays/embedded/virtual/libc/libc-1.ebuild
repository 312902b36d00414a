# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="The C library: Portage adds what this names to the dependencies of every ELF package"
SLOT="0"
KEYWORDS="amd64"

RDEPEND="sys-libs/glibc:2.2"
