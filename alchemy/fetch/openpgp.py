"""OpenPGP signatures, judged by what gpg says on its status file, from keys that the configuration names.

Each check has a throw-away GnuPG home, so that nothing the user trusts elsewhere counts here, and no server is asked.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from alchemy.config.values import FINGERPRINT
from alchemy.context import Context
from alchemy.errors import BuildError, UserError, VerificationError
from alchemy.host import chroot

# where GnuPG has the configuration of the whole host
_HOST_CONFIGURATION = Path("/etc/gnupg")


# where distributions put the keys of others (Gentoo's sec-keys/openpgp-keys-…, Debian's …-keyring)
_KEY_FOLDERS = (Path("/usr/share/openpgp-keys"), Path("/usr/share/keyrings"))

# what gpg says of a signature that is not good (GnuPG's doc/DETAILS)
_FAULTS = {
    "BADSIG": "bad signature: the content is not the signed one",
    "EXPSIG": "the signature has expired",
    "EXPKEYSIG": "the key of the signature has expired",
    "REVKEYSIG": "the key of the signature was revoked",
    "ERRSIG": "the signature is of a key that is not trusted",
}


@dataclass(frozen=True)
class Keyring:
    """Whose signatures count: the fingerprints of primary keys, and the files that hold the keys."""

    fingerprints: frozenset[str]
    files: tuple[Path, ...]


def keyring(context: Context, entries: Iterable[str], key: str) -> Keyring:
    """The keys of a configuration's list: fingerprints, and files relative to the repository.

    A key of a file counts as it is; a fingerprint is looked up in the host's key packages. `key` names the list in
    messages. Raises UserError when a fingerprint is nowhere, or a file holds no key.
    """
    pinned: dict[str, Path] = {}
    wanted = [entry for entry in entries if FINGERPRINT.fullmatch(entry)]
    for entry in entries:
        if entry not in wanted:
            path = context.root / entry
            found = _fingerprints(context, path)
            if not found:
                raise UserError(f"{key}: {entry}: holds no OpenPGP public key")
            pinned |= dict.fromkeys(found, path)
    available = _host_keys(context) if wanted else {}
    pinned |= {fingerprint: available[fingerprint] for fingerprint in wanted if fingerprint in available}
    if not pinned:
        folders = " or ".join(map(str, _KEY_FOLDERS))
        raise UserError(
            f"{key}: none of these keys is on this host: {', '.join(wanted)}",
            hint=f"install a package that puts them into {folders} (Gentoo: sec-keys/openpgp-keys-gentoo-release), "
            f"or name their file in {key}",
        )
    return Keyring(frozenset(pinned), tuple(dict.fromkeys(pinned.values())))


def _host_keys(context: Context) -> dict[str, Path]:
    """The primary keys of the host's key packages, with their files."""
    files = [path for folder in _KEY_FOLDERS for path in sorted(folder.glob("*")) if path.is_file()]
    return {fingerprint: path for path in files for fingerprint in _fingerprints(context, path)}


def _fingerprints(context: Context, path: Path) -> list[str]:
    """Returns the fingerprints of the primary keys in a file; empty when it is not a key file."""
    with throw_away_home() as home:
        try:
            listing = context.runner.capture([*gpg(home), "--with-colons", "--show-keys", path])
        except BuildError:
            return []
    lines = [line.split(":") for line in listing.splitlines()]
    return [after[9] for line, after in itertools.pairwise(lines) if line[0] == "pub" and after[0] == "fpr"]


def verify_detached(context: Context, keys: Keyring, file: Path, signature: bytes, what: str) -> str:
    """Checks the detached signature of a file; returns the fingerprint of the primary key that made it.

    `what` names the file in messages. Raises VerificationError.
    """
    with throw_away_home() as home:
        (home / "signature").write_bytes(signature)
        return _verify(context, keys, home, [home / "signature", file], what)


def verify_clearsigned(context: Context, keys: Keyring, text: bytes, what: str) -> str:
    """Checks a clearsigned text (RFC 9580, section 7), and returns the signed text without anything around it.

    Raises VerificationError.
    """
    with throw_away_home() as home:
        signed, content = home / "signed", home / "content"
        signed.write_bytes(text)
        _verify(context, keys, home, [signed], what, ["--output", content])
        return content.read_text(encoding="utf-8", errors="replace")


def verify_status(keys: Keyring, status: str, what: str) -> str:
    """Judges what gpg said on its status file; returns the fingerprint of the primary key.

    One good signature of a pinned key is needed, and none may be bad. Raises VerificationError.
    """
    said: dict[str, list[list[str]]] = {}
    for line in status.splitlines():
        words = line.split()
        if line.startswith("[GNUPG:] ") and len(words) > 2:
            said.setdefault(words[1], []).append(words[2:])
    valid = [arguments for arguments in said.get("VALIDSIG", []) if arguments[-1] in keys.fingerprints]
    if "BADSIG" in said:
        raise VerificationError(f"{what}: {_FAULTS['BADSIG']}")
    if valid and len(said.get("GOODSIG", [])) == len(said["VALIDSIG"]):
        return valid[0][-1]
    for keyword, fault in _FAULTS.items():
        if keyword in said:
            raise VerificationError(f"{what}: {fault} ({said[keyword][0][0]})")
    if "VALIDSIG" in said:
        raise VerificationError(f"{what}: {_FAULTS['ERRSIG']} ({said['VALIDSIG'][0][-1]})")
    raise VerificationError(f"{what}: is not signed")


def import_keys(context: Context, keys: Keyring, home: Path) -> None:
    """Puts the keys into a GnuPG home."""
    for file in keys.files:
        context.runner.run([*gpg(home), "--import", file], what=f"reading the OpenPGP keys of {file}")


@contextmanager
def throw_away_home() -> Iterator[Path]:
    """A GnuPG home of its own, which vanishes."""
    with tempfile.TemporaryDirectory(prefix="alchemy-gnupg-") as folder:
        yield Path(folder)


def gpg(home: Path) -> list[str | Path]:
    """Returns a gpg command line that uses nothing outside `home`: no options of the user or the host, no agent, no
    key server."""
    return unconfigured([
        "gpg", "--homedir", home, "--batch", "--quiet", "--no-options", "--no-autostart", "--disable-dirmngr",
        "--no-auto-key-retrieve", "--weak-digest", "SHA1",
    ])  # fmt: skip


def unconfigured(command: Sequence[str | Path]) -> list[str | Path]:
    """The command line that runs a command where the host has no configuration of GnuPG.

    --no-options does not cover /etc/gnupg/common.conf, whose use-keyboxd makes gpg 2.4 ignore the keys of its home.
    """
    if not _HOST_CONFIGURATION.is_dir():
        return list(command)
    return list(chroot.host(command, hidden=[_HOST_CONFIGURATION]))


def _verify(
    context: Context, keys: Keyring, home: Path, files: Sequence[Path], what: str, options: Sequence[str | Path] = ()
) -> str:
    import_keys(context, keys, home)
    status = home / "status"
    # the status file gives more of the cause than gpg's exit status
    with suppress(BuildError):
        context.runner.run(
            [*gpg(home), "--status-file", status, "--trust-model", "always", *options, "--verify", *files]
        )
    return verify_status(keys, status.read_text(encoding="utf-8", errors="replace") if status.exists() else "", what)
