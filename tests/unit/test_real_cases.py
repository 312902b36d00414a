"""What real trees of Gentoo have, and the tests that show it: each case has its own."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests import repository

_SHOWN = "test_the_image_has_what_the_packages_of_a_real_tree_install"
_REFUSED = "test_a_package_that_cannot_be_built_is_refused_with_the_cause_and_the_remedy"
_EAPI9 = "tests/integration/test_eapi9.py"
_UNIT = "tests/unit"

# What real trees have → the tests that show it: the file, if it is another one, the test, and the row of its table.
COVERED_BY: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    "EAPI 9": (
        ("", _REFUSED, "EAPI 9 where bash is too old"),
        ("", _REFUSED, "EAPI 9 in a tree with a cache of metadata"),
        (
            _EAPI9,
            "test_the_image_has_what_packages_of_eapi_9_install",
            "use.stable and package.use.stable of a profile",
        ),
        (_EAPI9, "test_the_manifest_lists_packages_of_eapi_9_and_their_profile", ""),
    ),
    "a live ebuild": (("", _REFUSED, "a live ebuild"), ("", _SHOWN, "a live ebuild that the user asks for")),
    "REQUIRED_USE": (("", _REFUSED, "a REQUIRED_USE conflict"),),
    "USE_EXPAND": (("", _SHOWN, "USE_EXPAND of a parent profile"),),
    "slot conflict": (("", _REFUSED, "a slot conflict"),),
    "blocker": (("", _REFUSED, "a blocker"),),
    "circular dependency": (("", _REFUSED, "a circular dependency"),),
    "RESTRICT=fetch": (("", _REFUSED, "a file to fetch by hand"),),
    "RESTRICT=bindist, mirror": (
        ("", _SHOWN, "RESTRICT of mirrors and of binary packages"),
        (f"{_UNIT}/commands/test_distfiles.py", "test_the_sources_of_packages_and_kernel_are_in_one_folder", ""),
    ),
    "licence groups": (
        ("", _REFUSED, "a licence in a group"),
        ("", _SHOWN, "a licence in a group that the user accepts"),
    ),
    "linux-info in pkg_pretend": (
        ("", _SHOWN, "pkg_pretend that checks the kernel"),
        ("", "test_a_check_of_a_package_before_it_is_built_is_told", ""),
        (f"{_UNIT}/portage/test_kernel_config.py", "test_the_host_s_configuration_is_hidden_where_there_is_one", ""),
    ),
    "fcaps": (("", "test_a_program_keeps_its_file_capabilities", ""),),
    "acct-user, acct-group": (("", "test_accounts_of_packages_are_those_of_the_image_and_own_their_files", ""),),
    "tmpfiles, systemd-utils": (
        ("", _SHOWN, "tmpfiles"),
        ("", _SHOWN, "rules of udev"),
        ("", "test_tmpfiles_are_applied_to_the_build_chroot_and_not_to_the_image_that_does_not_run", ""),
        ("", "test_the_image_boots_to_a_login_and_runs_programs_of_the_tree", ""),
    ),
    "multilib": (
        ("", "test_libraries_of_both_abis_are_in_their_folders", ""),
        ("", "test_the_image_boots_to_a_login_and_runs_programs_of_the_tree", ""),
        ("", "test_a_program_of_32_bits_without_its_c_library_is_refused_with_the_package_that_has_it", ""),
    ),
    "profiles of systemd": (
        ("", "test_what_no_image_is_built_from_is_refused_before_anything_is_compiled", "a profile of systemd"),
        (f"{_UNIT}/portage/test_profile.py", "test_a_profile_of_another_c_library_compiler_or_init_is_unsupported", ""),
    ),
    "what every image needs": (
        ("", "test_what_no_image_is_built_from_is_refused_before_anything_is_compiled", "sets without Python"),
        ("", "test_sets_that_do_not_bring_what_every_image_needs_are_refused", ""),
    ),
    "/usr that is not merged, split-usr": (
        ("tests/integration/test_split_usr.py", "test_the_image_has_the_folders_of_the_stage3", ""),
        ("tests/integration/test_split_usr.py", "test_the_image_boots_to_a_login_and_runs_a_program", ""),
        (f"{_UNIT}/stages/test_ramfs.py", "test_busybox_is_found_whether_usr_is_merged_or_not", ""),
    ),
    "profiles of musl and LLVM": (
        (f"{_UNIT}/portage/test_profile.py", "test_a_profile_of_another_c_library_compiler_or_init_is_unsupported", ""),
    ),
    "news": (("", "test_no_news_item_is_announced", ""),),
    "CONFIG_PROTECT": (("", _SHOWN, "CONFIG_PROTECT"), ("", "test_no_file_waits_to_be_merged_by_hand", "")),
    "package.use": (("", _SHOWN, "USE of the user"),),
    "package.mask": (("", _SHOWN, "package.mask, a folder"),),
    "package.provided": (("", _SHOWN, "package.provided, a folder"),),
    "env/": (("", _SHOWN, "package.env, a folder, and env"),),
    "patches/": (("", _SHOWN, "patches of the user"),),
    "bashrc": (("", _SHOWN, "bashrc"),),
    "sets": ((f"{_UNIT}/portage/test_settings.py", "test_a_line_that_is_no_atom_is_refused_by_name", "@system"),),
    "post-install messages": (("", "test_what_a_package_says_when_it_is_installed_is_in_the_log", ""),),
    "an eclass of another repository": (("", _SHOWN, "an eclass of another repository"),),
    "the compiler's libraries, scripts without an interpreter": (
        ("", "test_the_manifest_lists_the_profiles_and_what_came_in_and_was_left_out_unasked", ""),
    ),
    "keep_scripts": (("", "test_scripts_are_kept_with_the_package_of_their_interpreter", ""),),
    "packages of the stage3": (("", "test_packages_of_the_stage3_are_not_built_again", ""),),
    "a package added": (("", "test_a_package_more_gives_what_installing_all_would", ""),),
    "binhosts in the lock": ((f"{_UNIT}/config/test_lockfile.py", "test_a_lock_conflicts_with_binhosts", ""),),
    "getuto's trust": (("tests/integration/test_gentoo.py", "test_a_package_of_a_binhost_is_refused", "by another"),),
}


@pytest.mark.parametrize("case", COVERED_BY)
def test_the_tests_of_a_case_of_real_trees_are_there(case: str) -> None:
    for file, test, row in COVERED_BY[case]:
        text = (repository.ROOT / (file or "tests/integration/test_real_trees.py")).read_text(encoding="utf-8")
        assert f"\ndef {test}(" in text
        # a row of a table begins a line
        assert not row or f'\n    "{row}": ' in text or f'\n        "{row}",' in text
