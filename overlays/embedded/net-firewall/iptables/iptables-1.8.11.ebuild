# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="The library of iptables' extensions, which nft translates rules with"
HOMEPAGE="https://www.netfilter.org/projects/iptables/"
SRC_URI="
	https://www.netfilter.org/projects/iptables/files/${P}.tar.xz
	mirror://debian/pool/main/i/iptables/iptables_${PV}.orig.tar.xz -> ${P}.tar.xz
"

LICENSE="GPL-2"
SLOT="0"
KEYWORDS="amd64"

src_configure() {
	econf --disable-{bpf-compiler,connlabel,libipq,libnfnetlink,nfsynproxy,nftables,static}
}

src_install() {
	# the kernel has nf_tables only: the programs would find nothing to talk to
	emake -C libxtables DESTDIR="${D}" install
	rm "${ED}/usr/$(get_libdir)"/*.la || die
}
