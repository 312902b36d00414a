# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="Answers SSH's question for a password, for devices without keys"
HOMEPAGE="https://sourceforge.net/projects/sshpass/"
# the newest whose source every mirror has
SRC_URI="
	https://downloads.sourceforge.net/sshpass/${P}.tar.gz
	mirror://debian/pool/main/s/sshpass/sshpass_${PV}.orig.tar.gz -> ${P}.tar.gz
"

LICENSE="GPL-2+"
SLOT="0"
KEYWORDS="amd64"
