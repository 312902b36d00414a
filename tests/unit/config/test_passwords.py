from __future__ import annotations

import subprocess
from collections.abc import Mapping

import pytest

from alchemy.config import passwords
from alchemy.stages import identity_squashfs

SECRET = bytes(range(32))
B64_43 = "x" * 43

GOOD: Mapping[str, str] = {
    "yescrypt": f"$y$j9T$salt$.{'x' * 42}",
    "gost-yescrypt": f"$gy$j9T$salt${B64_43}",
    "scrypt": f"$7$CU..../....saltsalt${B64_43}",
    "bcrypt": f"$2b$12${'x' * 53}",
    "bcrypt of other programs": f"$2y$10${'x' * 53}",
    "sha512crypt": f"$6$saltsalt${'x' * 86}",
    "sha512crypt of many rounds": f"$6$rounds=500000$saltsaltsaltsalt${'x' * 86}",
    "sha256crypt": f"$5$saltsalt${B64_43}",
}

BAD: Mapping[str, str] = {
    "nothing": "",
    "a password": "hunter2",
    "no password at all": "*",
    "DES": "abJnggxhB/yWI",
    "extended DES": "_J9..rasmBYk8r9AiWNc",
    "MD5": "$1$saltsalt$UsdFqFVB.FsuinRDK5eE..",
    "NT": "$3$$8846f7eaee8fb117ad06bdd830b7586c",
    "bcrypt with the bug of 2011": f"$2x$12${'x' * 53}",
    "bcrypt at no cost": f"$2b$03${'x' * 53}",
    "a cut yescrypt": f"$y$j9T$salt${'x' * 42}",
    "a long yescrypt": f"$y$j9T$salt${'x' * 44}",
    "yescrypt without a salt": f"$y$j9T$${B64_43}",
    "a setting": "$y$j9T$saltsaltsaltsalt$",
    "sha512crypt of few rounds": f"$6$rounds=999$saltsalt${'x' * 86}",
    "sha512crypt of too many rounds": f"$6$rounds=1000000000$saltsalt${'x' * 86}",
    "a long salt": f"$6$saltsaltsaltsalts${'x' * 86}",
    "another field of /etc/shadow": f"$6$saltsalt${'x' * 86}:0:",
    "a line's end": f"$6$saltsalt${'x' * 86}\n",
    "a locked account": f"!$6$saltsalt${'x' * 86}",
    "a digit outside ASCII": f"$2b$1\u0662${'x' * 53}",
}


@pytest.mark.parametrize("value", GOOD.values(), ids=GOOD.keys())
def test_a_strong_hash_is_accepted(value: str) -> None:
    assert passwords.check_hash(value) == value


@pytest.mark.parametrize("value", BAD.values(), ids=BAD.keys())
def test_a_weak_or_broken_hash_is_refused_and_not_quoted(value: str) -> None:
    with pytest.raises(
        ValueError, match=r"must be a complete crypt\(5\) hash \(expected yescrypt, gost-yescrypt, "
    ) as caught:
        passwords.check_hash(value)
    assert len(value) < 2 or value not in str(caught.value)


def test_the_setting_is_the_same_for_the_same_site_and_another_at_another() -> None:
    first = passwords.setting(SECRET, "hunter2")
    assert first == passwords.setting(SECRET, "hunter2")
    assert len({first, passwords.setting(bytes(32), "hunter2"), passwords.setting(SECRET, "hunter3")}) == 3


def test_the_fingerprint_is_not_the_salt() -> None:
    salt = passwords.setting(SECRET, "hunter2").split("$")[3]
    assert bytes.fromhex(passwords.fingerprint(SECRET, "hunter2"))[:18] != salt.encode()[:18]
    assert passwords.fingerprint(SECRET, "hunter2") != passwords.fingerprint(bytes(32), "hunter2")


@pytest.mark.parametrize(
    "password", ["hunter2", " correct horse battery staple ", "gr\u00fcn", "$y$j9T$", "-e", "\\n%s'\""]
)
def test_perls_crypt_accepts_the_setting_and_makes_an_accepted_hash(password: str, real_processes: None) -> None:
    setting = passwords.setting(SECRET, password)
    crypt = ["perl", "-e", identity_squashfs.CRYPT]
    hashed, again = (
        subprocess.run(
            crypt, input=f"{password}\n{given}\n".encode(), stdout=subprocess.PIPE, check=True
        ).stdout.decode()
        for given in (setting, setting)
    )
    assert hashed == again
    assert passwords.is_hash_of(setting, hashed)
    assert passwords.check_hash(hashed) == hashed


@pytest.mark.parametrize("answer", ["", "*0", "*1", f"$6$salt${'x' * 86}", f"$y$j9T$other${B64_43}"])
def test_an_error_of_crypt_is_not_a_hash(answer: str) -> None:
    assert not passwords.is_hash_of(passwords.setting(SECRET, "hunter2"), answer)
