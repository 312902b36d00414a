# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="Transfers files by HTTP, HTTPS, FTP and TFTP"
HOMEPAGE="https://curl.se/"
SRC_URI="
	https://curl.se/download/${P}.tar.gz
	mirror://debian/pool/main/c/curl/curl_${PV}.orig.tar.gz -> ${P}.tar.gz
"

LICENSE="curl"
SLOT="0"
KEYWORDS="amd64"

DEPEND="
	dev-libs/openssl:=
	sys-libs/zlib:=
"
RDEPEND="${DEPEND}"

src_configure() {
	local protocols=( http ftp file tftp )
	local others=( dict gopher imap ipfs ldap ldaps mqtt pop3 rtsp smb smtp telnet websockets )
	local features=( alt-svc ares aws debug docs doh httpsrr kerberos-auth libcurl-option manual negotiate-auth
		ntlm sspi static test-bundles tls-srp )
	local libraries=( brotli ca-path fish-functions-dir gssapi libgsasl libidn2 libpsl librtmp libssh libssh2
		libuv nghttp2 nghttp3 ngtcp2 quiche zsh-functions-dir zstd )

	econf "${protocols[@]/#/--enable-}" "${others[@]/#/--disable-}" "${features[@]/#/--disable-}" \
		"${libraries[@]/#/--without-}" --enable-ipv6 --enable-threaded-resolver --enable-versioned-symbols \
		--with-openssl --with-zlib --with-ca-bundle="${EPREFIX}/etc/ssl/certs/ca-certificates.crt"
}

src_install() {
	default
	rm "${ED}/usr/$(get_libdir)"/*.la "${ED}"/usr/bin/{curl-config,wcurl} || die
}
