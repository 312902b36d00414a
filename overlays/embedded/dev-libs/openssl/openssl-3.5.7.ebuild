# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit edo toolchain-funcs

DESCRIPTION="The TLS and cryptography library, and its openssl program"
HOMEPAGE="https://openssl-library.org/"
SRC_URI="
	https://github.com/openssl/openssl/releases/download/${P}/${P}.tar.gz
	mirror://debian/pool/main/o/openssl/openssl_${PV}.orig.tar.gz -> ${P}.tar.gz
"

LICENSE="Apache-2.0"
SLOT="0/3"
KEYWORDS="amd64"

# its tests are not built
RESTRICT="test"

src_configure() {
	# what no TLS peer, key file or BMC of these years needs. Engines, QUIC, SRP and four of the old ciphers and
	# hashes stay: programs of a stage3 (cmake, by way of libcurl) are linked with this library and look for them
	local drop=( aria camellia gost idea mdc2 rc2 rmd160 seed sm2 sm3 sm4 whirlpool ml-dsa slh-dsa argon2
		afalgeng cmp dtls legacy loadereng module padlockeng rfc3779 sctp srtp ssl3 )

	tc-export AR CC CXX RANLIB
	edo perl ./Configure linux-x86_64 \
		--prefix="${EPREFIX}/usr" --libdir="$(get_libdir)" --openssldir="${EPREFIX}/etc/ssl" \
		shared threads no-docs no-tests no-zlib no-zstd no-brotli "${drop[@]/#/no-}"
}

src_install() {
	emake DESTDIR="${D}" install_sw install_ssldirs
	rm -r "${ED}"/etc/ssl/misc "${ED}"/etc/ssl/*.dist "${ED}"/usr/bin/c_rehash \
		"${ED}"/usr/$(get_libdir)/lib{crypto,ssl}.a || die
	keepdir /etc/ssl/certs
}
