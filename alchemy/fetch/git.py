"""Repositories in git, with the host's git: what a branch is now, and one commit of it without its history.

Only the transport follows the configuration of the user and the host: proxies, certificates, credential helpers. The
files of a commit do not, so that autocrlf, filters and attributes change no byte of them.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from alchemy.context import Context
from alchemy.errors import BuildError, UserError, VerificationError
from alchemy.fetch import download, openpgp
from alchemy.fetch.openpgp import Keyring

_BRANCH = "alchemy"

# nobody can type a password
_TRANSPORT = {"GIT_TERMINAL_PROMPT": "0"}

# git's own defaults, whatever the user and the host have configured (git(1))
_DEFAULTS = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "GIT_ATTR_NOSYSTEM": "1"}

# what outranks the attributes of the tree (gitattributes(5)): each file as it was committed
_ATTRIBUTES = "* -text -filter -ident -working-tree-encoding -export-subst -export-ignore\n"

_FEW = 10


def tip(context: Context, url: str, ref: str | None, log: Path) -> str:
    """The commit that a branch or tag is now; with none, that of the branch which the repository itself names.

    Raises UserError for an unknown branch or tag, BuildError when the repository cannot be reached.
    """
    names = ["HEAD"] if ref is None else [f"refs/heads/{ref}", f"refs/tags/{ref}^{{}}", f"refs/tags/{ref}"]
    found = _refs(context, [url, *names], log)
    for name in names:
        if name in found:
            return found[name]
    branches = [name.removeprefix("refs/heads/") for name in _refs(context, ["--heads", url], log)]
    if not branches:
        raise UserError(f"{url}: empty repository: it has no branch")
    missing = "HEAD names a branch that does not exist" if ref is None else f"no branch or tag {ref}"
    more = f" and {len(branches) - _FEW} more" if len(branches) > _FEW else ""
    raise UserError(f"{url}: {missing}", hint=f"name one of its branches: {', '.join(branches[:_FEW])}{more}")


def _refs(context: Context, arguments: list[str], log: Path) -> dict[str, str]:
    """The commits of a remote repository by the names of their refs, of git ls-remote with `arguments`."""
    listing = context.runner.capture(["git", "ls-remote", *arguments], env=_TRANSPORT, log=log, what="git ls-remote")
    pairs = (line.split("\t", 1) for line in listing.splitlines() if "\t" in line)
    return {name: commit for commit, name in pairs}


def fetch(context: Context, url: str, ref: str | None, commit: str, target: Path, log: Path) -> None:
    """Makes a bare repository of one commit in the new folder `target`.

    A server that gives no commit by its name is asked for the branch or tag `ref`. Raises VerificationError when that
    is another commit by now, BuildError when the repository can't be reached.
    """
    if not url.startswith("file://"):
        download.require_online(context, f"{url}, commit {commit}")
    run, git = context.runner.run, ["git", "-C", str(target)]
    target.mkdir(parents=True)
    run([*git, "init", "--quiet", "--bare", "--template=", f"--initial-branch={_BRANCH}"], env=_DEFAULTS, log=log)
    (target / "info").mkdir(exist_ok=True)
    (target / "info" / "attributes").write_text(_ATTRIBUTES, encoding="ascii")
    getting = [*git, "fetch", "--depth=1", "--no-tags", "--no-recurse-submodules", url]
    with context.log.step(f"fetching {url}, commit {commit[:12]}"):
        try:
            run([*getting, f"+{commit}:refs/heads/{_BRANCH}"], env=_TRANSPORT, log=log)
        except BuildError:
            run([*getting, f"+{ref or 'HEAD'}:refs/heads/{_BRANCH}"], env=_TRANSPORT, log=log, what=f"fetching {url}")
    found = context.runner.capture([*git, "rev-parse", f"{_BRANCH}^{{commit}}"], env=_DEFAULTS, log=log).strip()
    if found != commit:
        raise VerificationError(
            f"{url}: the server does not offer commit {commit} ({ref or 'HEAD'} is now {found})",
            hint="the commit may have been replaced by a forced push: pin another one",
        )
    _warn_of_submodules(context, url, git, log)


def _warn_of_submodules(context: Context, url: str, git: list[str], log: Path) -> None:
    """Says which folders of the commit stay empty: entries of mode 160000 are commits of other repositories."""
    listing = context.runner.capture([*git, "ls-tree", "-r", "-z", "--full-tree", _BRANCH], env=_DEFAULTS, log=log)
    names = [ascii(name)[1:-1] for name in re.findall(r"(?:^|\0)160000 commit [0-9a-f]+\t([^\0]*)", listing)]
    if names:
        more = f" and {len(names) - _FEW} more" if len(names) > _FEW else ""
        shown = f"{', '.join(names[:_FEW])}{more}"
        context.log.info(f"{url}: submodules are not fetched, their folders stay empty: {shown}")


def verify(context: Context, keys: Keyring, repository: Path, commit: str, what: str) -> None:
    """Checks the OpenPGP signature of a commit. Raises VerificationError, which names it by `what`."""
    with openpgp.throw_away_home() as home:
        openpgp.import_keys(context, keys, home)
        (home / "gpg.conf").write_text("weak-digest SHA1\nno-auto-key-retrieve\n", encoding="ascii")
        status = home / "status"
        # the status output gives more of the cause than the exit status
        with suppress(BuildError):
            context.runner.run(
                openpgp.unconfigured(["git", "-C", repository, "verify-commit", "--raw", commit]),
                env={"GNUPGHOME": str(home), **_DEFAULTS},
                log=status,
            )
        openpgp.verify_status(keys, status.read_text(encoding="utf-8", errors="replace"), what)


def checkout(context: Context, repository: Path, target: Path, log: Path) -> None:
    """Writes the files of a repository that `fetch` has made into the new folder `target`."""
    target.mkdir(parents=True)
    context.runner.run(
        ["git", f"--git-dir={repository}", f"--work-tree={target}", "checkout", "--quiet", "--force", _BRANCH],
        env=_DEFAULTS,
        log=log,
        what="git checkout",
    )


def archive(context: Context, repository: Path, prefix: str, target: Path, log: Path) -> None:
    """Packs the files of a repository that `fetch` has made into the tarball `target` (.tar.gz), below `prefix`/."""
    command = ["git", "-C", str(repository), "archive", f"--prefix={prefix}/", "-1", f"--output={target}", _BRANCH]
    context.runner.run(command, env=_DEFAULTS, log=log, what="git archive")
