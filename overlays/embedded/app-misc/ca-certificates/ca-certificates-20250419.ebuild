# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit edo

DESCRIPTION="The certificate authorities that Mozilla trusts for servers, as one file"
HOMEPAGE="https://packages.debian.org/sid/ca-certificates https://wiki.mozilla.org/CA"
SRC_URI="mirror://debian/pool/main/c/ca-certificates/${PN}_${PV}.tar.xz -> ${P}.tar.xz"
S="${WORKDIR}/${PN}"

LICENSE="MPL-2.0"
SLOT="0"
KEYWORDS="amd64"

src_compile() {
	edo python3 "${FILESDIR}"/certdata2bundle.py "${PV}" <mozilla/certdata.txt >ca-certificates.crt
}

src_install() {
	insinto /etc/ssl/certs
	doins ca-certificates.crt
	dosym certs/ca-certificates.crt /etc/ssl/cert.pem
}
