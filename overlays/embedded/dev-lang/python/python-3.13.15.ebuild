# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

DESCRIPTION="The Python interpreter, with what a node needs of its standard library"
HOMEPAGE="https://www.python.org/"
SRC_URI="
	https://www.python.org/ftp/python/${PV}/Python-${PV}.tar.xz
	mirror://debian/pool/main/p/python3.13/python3.13_${PV}.orig.tar.xz -> Python-${PV}.tar.xz
"
S="${WORKDIR}/Python-${PV}"

LICENSE="PSF-2"
SLOT="3.13"
KEYWORDS="amd64"

DEPEND="
	dev-libs/openssl:=
	sys-libs/zlib:=
"
RDEPEND="${DEPEND}"

# extension modules that need a library which the image does not have, or that no program of a node uses
NO_EXTENSIONS=( _asyncio _bz2 _codecs_cn _codecs_hk _codecs_iso2022 _codecs_jp _codecs_kr _codecs_tw _ctypes
	_ctypes_test _curses _curses_panel _dbm _gdbm _interpchannels _interpqueues _interpreters _lsprof _lzma
	_multibytecodec _sqlite3 _tkinter _uuid _zoneinfo readline xxlimited xxlimited_35 )

# the modules on top of these, and those that develop, test, package or display programs
NO_MODULES=( __hello__.py __phello__ _pydecimal.py _pyrepl antigravity.py asyncio bz2.py cProfile.py code.py
	codeop.py ctypes curses dbm doctest.py ensurepip idlelib imaplib.py lzma.py mailbox.py pdb.py poplib.py
	profile.py pstats.py pydoc.py pydoc_data rlcompleter.py shelve.py smtplib.py sqlite3 this.py tkinter trace.py
	turtle.py turtledemo unittest venv webbrowser.py wsgiref xmlrpc zipapp.py zoneinfo )

src_configure() {
	local extension
	for extension in "${NO_EXTENSIONS[@]}"; do
		export "py_cv_module_${extension}=n/a"
	done
	econf --disable-shared --disable-test-modules --without-ensurepip --without-static-libpython \
		--without-doc-strings --without-readline --with-openssl="${EPREFIX}/usr" --with-platlibdir=lib
}

src_install() {
	emake DESTDIR="${D}" install

	local library="${ED}/usr/lib/python${SLOT}" module
	for module in "${NO_MODULES[@]}"; do
		rm -r "${library:?}/${module}" || die
	done
	# a copy of the Makefile, the headers and what configures the build of extension modules
	rm -r "${library}"/config-* "${ED}"/usr/include "${ED}"/usr/share "${ED}"/usr/lib*/pkgconfig || die
	rm "${ED}"/usr/bin/{idle*,pydoc*,python*-config} || die

	# Bytecode in place of the sources: nothing is compiled at a start, on a machine whose RAM holds all files. The
	# digest of a source in place of its time gives the same bytes in each build; -B keeps the modules that this command
	# itself runs from being compiled a second time, with times.
	find "${library}" -name __pycache__ -prune -exec rm -r {} + || die
	"${ED}/usr/bin/python${SLOT}" -I -B -m compileall -q -b -s "${D}" -p / --invalidation-mode unchecked-hash \
		"${library}" || die
	find "${library}" -name '*.py' -delete || die
}

# Portage itself runs with the Python of the stage3, and so do build systems, from the same folder: only other roots
# get this one.
pkg_preinst() {
	[[ -n ${ROOT} ]] || rm -r "${ED}"/usr || die
}
