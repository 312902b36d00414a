"""Repositories in git, with the host's git: what a branch is now, and one commit of it without its history."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from alchemy import download, openpgp
from alchemy.context import Context
from alchemy.errors import BuildError, UserError, VerificationError
from alchemy.openpgp import Keyring

_BRANCH = "alchemy"

# nobody is there to type a password
_ENVIRONMENT = {"GIT_TERMINAL_PROMPT": "0"}


def tip(context: Context, url: str, ref: str | None, log: Path) -> str:
    """The commit that a branch or tag is now; with none, that of the branch which the repository itself names.

    Raises UserError when there is no such branch or tag, BuildError when the repository can't be reached.
    """
    names = ["HEAD"] if ref is None else [f"refs/heads/{ref}", f"refs/tags/{ref}^{{}}", f"refs/tags/{ref}"]
    listing = context.runner.capture(
        ["git", "ls-remote", url, *names], env=_ENVIRONMENT, log=log, what=f"looking into {url}"
    )
    found = {name: commit for commit, name in (line.split("\t") for line in listing.splitlines())}
    for name in names:
        if name in found:
            return found[name]
    raise UserError(f"{url}: has no branch or tag {ref}" if ref else f"{url}: is an empty repository")


def fetch(context: Context, url: str, ref: str | None, commit: str, target: Path, log: Path) -> None:
    """Makes a bare repository of one commit in the new folder `target`.

    A server that gives no commit by its name is asked for the branch or tag `ref`. Raises VerificationError when that
    is another commit by now, BuildError when the repository can't be reached.
    """
    if not url.startswith("file://"):
        download.require_online(context, f"{url}, commit {commit}")
    run, git = context.runner.run, ["git", "-C", str(target)]
    target.mkdir(parents=True)
    run([*git, "init", "--quiet", "--bare", "--template=", f"--initial-branch={_BRANCH}"], log=log)
    getting = [*git, "fetch", "--depth=1", "--no-tags", url]
    with context.log.step(f"fetching {url}, commit {commit[:12]}"):
        try:
            run([*getting, f"+{commit}:refs/heads/{_BRANCH}"], env=_ENVIRONMENT, log=log)
        except BuildError:
            run([*getting, f"+{ref or 'HEAD'}:refs/heads/{_BRANCH}"], env=_ENVIRONMENT, log=log, what=f"fetching {url}")
    found = context.runner.capture([*git, "rev-parse", f"{_BRANCH}^{{commit}}"], log=log).strip()
    if found != commit:
        raise VerificationError(
            f"{url}: {ref or 'HEAD'} is the commit {found}, and the server doesn't give {commit}, which is asked for"
        )


def verify(context: Context, keys: Keyring, repository: Path, commit: str, what: str) -> None:
    """Checks the OpenPGP signature of a commit. Raises VerificationError, which names it by `what`."""
    with openpgp.throw_away_home() as home:
        openpgp.import_keys(context, keys, home)
        (home / "gpg.conf").write_text("weak-digest SHA1\nno-auto-key-retrieve\n", encoding="ascii")
        status = home / "status"
        # what is wrong says the status, and more of it than the exit status
        with suppress(BuildError):
            context.runner.run(
                ["git", "-C", repository, "verify-commit", "--raw", commit], env={"GNUPGHOME": str(home)}, log=status
            )
        openpgp.verify_status(keys, status.read_text(encoding="utf-8", errors="replace"), what)


def checkout(context: Context, repository: Path, target: Path, log: Path) -> None:
    """Writes the files of a repository that `fetch` has made into the new folder `target`."""
    target.mkdir(parents=True)
    context.runner.run(
        ["git", f"--git-dir={repository}", f"--work-tree={target}", "checkout", "--quiet", "--force", _BRANCH],
        log=log,
        what="git checkout",
    )


def archive(context: Context, repository: Path, prefix: str, target: Path, log: Path) -> None:
    """Packs the files of a repository that `fetch` has made into the tarball `target` (.tar.gz), below `prefix`/."""
    command = ["git", "-C", str(repository), "archive", f"--prefix={prefix}/", "-1", f"--output={target}", _BRANCH]
    context.runner.run(command, log=log, what="git archive")
