from __future__ import annotations

from pathlib import Path

import pytest

from alchemy.portage import scripts
from alchemy.portage.scripts import Script


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root tree with a shell and env, and /bin as a link."""
    write(tmp_path, "usr/bin/sh", "\x7fELF")
    write(tmp_path, "usr/bin/env", "\x7fELF")
    (tmp_path / "bin").symlink_to("usr/bin")
    return tmp_path


def write(root: Path, name: str, text: str, mode: int = 0o755) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="latin-1")
    path.chmod(mode)
    return path


# a first line, and the interpreter that the image lacks for it
LINES = {
    "#!/bin/sh": None,
    "#! /usr/bin/sh -e": None,
    "#!/usr/bin/perl": "/usr/bin/perl",
    "#!/usr/bin/perl -w": "/usr/bin/perl",
    "#!/usr/bin/env python3": "python3",
    "#!/usr/bin/env -S FOO=1 python3 -u": "python3",
    "#!/usr/bin/env sh": None,
    "#!": None,
    "echo no shebang": None,
    "\x7fELF": None,
    "#!/usr/bin/\xff\xfe": "/usr/bin/\ufffd\ufffd",
}


@pytest.mark.parametrize(("line", "interpreter"), LINES.items())
def test_the_interpreter_that_is_missing_is_told(root: Path, line: str, interpreter: str | None) -> None:
    assert scripts.missing_interpreter(root, write(root, "usr/bin/x", f"{line}\n")) == interpreter


def test_a_script_is_left_out_with_the_links_to_it_and_its_package_is_named(root: Path) -> None:
    write(root, "usr/bin/x", "#!/usr/bin/perl\n")
    write(root, "usr/bin/y", "#!/bin/sh\n")
    write(root, "var/db/pkg/a/x-1/CONTENTS", "obj /bin/x 0123 1\nobj /usr/bin/y 0123 1\n", 0o644)
    for name, target in (("z", "x"), ("zz", "/usr/bin/z"), ("w", "y")):
        (root / "usr/bin" / name).symlink_to(target)
    assert scripts.leave_out(root) == [Script("/usr/bin/x", "/usr/bin/perl", "a/x-1")]
    assert sorted(path.name for path in (root / "usr/bin").iterdir()) == ["env", "sh", "w", "y"]


def test_a_script_that_runs_by_one_that_is_left_out_goes_too(root: Path) -> None:
    write(root, "usr/bin/inner", "#!/usr/bin/perl\n")
    write(root, "usr/bin/outer", "#!/usr/bin/inner\n")
    assert [script.path for script in scripts.leave_out(root)] == ["/usr/bin/inner", "/usr/bin/outer"]


def test_a_script_that_nobody_runs_stays(root: Path) -> None:
    example = write(root, "usr/share/x.pl", "#!/usr/bin/perl\n", 0o644)
    assert scripts.leave_out(root) == []
    assert example.exists()


def test_a_link_out_of_the_tree_is_no_interpreter(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = write(tmp_path_factory.mktemp("host"), "perl", "\x7fELF")
    (root / "usr/bin/perl").symlink_to(outside)
    write(root, "usr/bin/x", "#!/usr/bin/perl\n")
    assert [script.path for script in scripts.leave_out(root)] == ["/usr/bin/x"]
    assert outside.exists()


def test_the_packages_of_interpreters_are_found_through_links(root: Path) -> None:
    write(root, "usr/bin/perl5.40", "\x7fELF")
    (root / "usr/bin/perl").symlink_to("perl5.40")
    write(root, "usr/bin/python3", "\x7fELF")
    contents = "obj /usr/bin/perl5.40 0123 1\nsym /usr/bin/perl -> perl5.40 1\n"
    write(root, "var/db/pkg/dev-lang/perl-5.40/CONTENTS", contents, 0o644)
    assert scripts.owners(root, ["/bin/perl", "python3", "/usr/bin/ruby"]) == {"/bin/perl": "dev-lang/perl-5.40"}
