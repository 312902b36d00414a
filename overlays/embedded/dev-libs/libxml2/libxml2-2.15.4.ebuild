# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="XML library (its tree, reader, writer and XPath alone)"
HOMEPAGE="https://gitlab.gnome.org/GNOME/libxml2/-/wikis/home"
SRC_URI="mirror://debian/pool/main/libx/libxml2/libxml2_${PV}+dfsg.orig.tar.xz -> ${P}-debian.tar.xz"

LICENSE="MIT"
SLOT="2/16"
KEYWORDS="amd64"

src_configure() {
	# the parts that lldpcli has a use for, and those that libarchive and gettext of a stage3 look for
	local parts=( output pattern push reader threads tree writer xpath )
	local drop=( c14n catalog debug docs history html http iconv icu iso8859x legacy modules python readline regexps
		relaxng sax1 schemas schematron valid xinclude xptr zlib )

	econf --disable-static --without-minimum "${parts[@]/#/--with-}" "${drop[@]/#/--without-}"
}

src_compile() {
	emake libxml2.la
}

src_install() {
	emake DESTDIR="${D}" install-libLTLIBRARIES install-pkgconfigDATA
	emake -C include DESTDIR="${D}" install
	rm "${ED}/usr/$(get_libdir)"/*.la || die
}
