# Copyright 2026 The Alchemy Linux authors
# Distributed under the terms of the MIT License

EAPI=8

inherit by-hand edo toolchain-funcs

DESCRIPTION="Measures the bandwidth of memory, on all cores"
HOMEPAGE="https://www.cs.virginia.edu/stream/ref.html"
# what its author calls stream.c
SRC_URI="${P}.c"

LICENSE="STREAM"
SLOT="0"
KEYWORDS="-* amd64"
RESTRICT="bindist fetch mirror"

QA_PREBUILT=""

src_unpack() {
	cp "${DISTDIR}/${P}.c" . || die
}

src_compile() {
	# Arrays of 610 MiB each: four times the caches of today, as its rules ask for. Static, as images have no libgomp.
	edo $(tc-getCC) ${CFLAGS} ${LDFLAGS} -fopenmp -static -DSTREAM_ARRAY_SIZE=80000000 -o stream "${P}.c"
}

src_install() {
	dobin stream
}
