from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from alchemy.errors import UserError
from alchemy.rack import config
from tests.unit.configs import HASH
from tests.unit.rack import configs
from tests.unit.rack.configs import COLLINS, Write


@pytest.fixture
def write(tmp_path: Path) -> Write:
    return configs.make(tmp_path)


BAD: Mapping[str, tuple[str, str]] = {
    "an unknown key": ("intreface: eth0", "intreface: unknown key; did you mean interface?"),
    "a key like no other": ("zebra: 1", "zebra: unknown key (expected one of: interface, images, profiles, "),
    "an empty key": ("operators:", "operators: empty (expected a value, or no such key)"),
    "an interface that is too long": (
        "interface: enp0s31f6u1u2c2i2",
        "interface: invalid interface (expected a name of `ip link`, at most 15 characters, got 'enp0s31f6u1u2c2i2')",
    ),
    "an interface with a slash": ("interface: ../eth0", "interface: invalid interface"),
    "an interface by number": ("interface: 5", "interface: invalid value (expected text (quote it), got 5)"),
    "no image": ("images: {}", "images: empty (expected at least one image, or no key for bin/)"),
    "an image without a folder": ("images: {a: nowhere}", "images.a: no such folder (expected one like bin/, got /"),
    "an image without files": ("images: {a: empty}", "images.a: missing or empty: alchemy.img, alchemy.ramfs ("),
    "a list of images": ("images: [image]", "images: invalid value (expected a mapping, got a list)"),
    "an image with a path for a name": ("images: {a/b: image}", "images.a/b: invalid name (expected letters, digits"),
    "an image that is a number": (
        "images: {a: 5}",
        "images.a: invalid value (expected the name of a file or folder, got 5)",
    ),
    "a profile that is local": (
        "profiles: {local: {cmdline: net}}",
        "profiles.local: built in, and boots the disk (expected another name)",
    ),
    "a profile of an unknown image": (
        "images: {prod: image}\nprofiles: {p: {image: prd}}",
        "profiles.p.image: unknown image 'prd'; did you mean prod?",
    ),
    "a profile of one of several images": (
        "images: {a: image, b: image}\nprofiles: {p: {cmdline: net}}",
        "profiles.p.image: missing (expected one of: a, b)",
    ),
    "a profile with an unknown key": (
        "profiles: {p: {comandline: net}}",
        "profiles.p.comandline: unknown key; did you mean cmdline?",
    ),
    "a profile with a name": ("profiles: {p: {name: q}}", "profiles.p.name: unknown key (expected none: the name is p"),
    "a profile that is text": ("profiles: {p: net}", "profiles.p: invalid value (expected a mapping, got 'net')"),
    "a command line of two lines": (
        'profiles: {p: {cmdline: "net\\nchain http://x"}}',
        "profiles.p.cmdline: control character or not ASCII (expected printable ASCII on one line, got '\\n')",
    ),
    "a command line that reports elsewhere": (
        "profiles: {p: {cmdline: 'net rack_url=http://192.0.2.66'}}",
        "profiles.p.cmdline: rack_url= belongs to boot.serve (expected a line without it)",
    ),
    "a command line with jobs": (
        "profiles: {p: {cmdline: job=burnin}}",
        "profiles.p.cmdline: job= belongs to boot.serve (expected a line without it): list the jobs of a profile in",
    ),
    "a command line that ends in iPXE": (
        "profiles: {p: {cmdline: 'net || shell'}}",
        "profiles.p.cmdline: syntax of iPXE (expected parameters of the kernel, got ||)",
    ),
    "a command line that goes on in iPXE": (
        "profiles: {p: {cmdline: 'net x\\'}}",
        "profiles.p.cmdline: syntax of iPXE (expected parameters of the kernel, got x\\)",
    ),
    "a command line that is too long": (
        f"profiles: {{p: {{cmdline: '{'x' * 1501}'}}}}",
        "profiles.p.cmdline: too long (expected at most 1500 characters, got 1501)",
    ),
    "an unknown job": (
        "profiles: {p: {jobs: [burnin, intaek]}}",
        "profiles.p.jobs.1: unknown job 'intaek'; did you mean intake?",
    ),
    "a job twice": ("profiles: {p: {jobs: [burnin, burnin]}}", "profiles.p.jobs: duplicate job"),
    "jobs as text": ("profiles: {p: {jobs: burnin}}", "profiles.p.jobs: invalid value (expected a list, got 'burnin')"),
    "destructive as text": (
        "profiles: {p: {destructive: 'yes'}}",
        "profiles.p.destructive: invalid value (expected true or false, got 'yes')",
    ),
    "a rule without a profile": (
        "decisions: [{unknown: true}]",
        "decisions.0.profile: missing (expected the name of a profile)",
    ),
    "a rule to an unknown profile": (
        "decisions: [{profile: burn-in}]",
        "decisions.0.profile: unknown profile 'burn-in'; did you mean burnin?",
    ),
    "a rule to a destructive profile": (
        "profiles: {wipe: {destructive: true}}\ndecisions: [{model: X, profile: wipe}]",
        "decisions.0.profile: wipe is destructive (expected an operator's order, POST /v1/nodes/ID/orders, got a rule",
    ),
    "a default rule to a destructive profile": (
        "profiles: {intake: {destructive: true}}",
        "profiles.intake.destructive: the default decisions lead to it (expected an operator's order",
    ),
    "a rule after one for all": (
        "decisions: [{profile: local}, {unknown: true, profile: intake}]",
        "decisions.1: unreachable (expected before decisions.0, which matches all that it would match)",
    ),
    "a rule after a wider one": (
        "decisions: [{model: X, profile: local}, {model: X, port: a, profile: rescue}]",
        "decisions.1: unreachable (expected before decisions.0",
    ),
    "a rule with a bad MAC": (
        "decisions: [{mac: '52:54:00:12:34', profile: local}]",
        "decisions.0.mac: invalid MAC address (expected the form 52:54:00:12:34:56, got '52:54:00:12:34')",
    ),
    "a rule with a multicast MAC": (
        "decisions: [{mac: '01:00:5e:00:00:01', profile: local}]",
        "decisions.0.mac: not the address of an interface",
    ),
    "a rule with an unknown status": (
        "decisions: [{status: maintainance, profile: local}]",
        "decisions.0.status: unknown status 'maintainance'; did you mean Maintenance?",
    ),
    "a rule with a state of two words": ("decisions: [{state: HW TESTING, profile: local}]", "decisions.0.state: "),
    "a rule with an empty condition": (
        "decisions: [{serial: , profile: local}]",
        "decisions.0.serial: empty (expected a value, or no such key)",
    ),
    "a rule with a serial of blanks": ("decisions: [{serial: '  ', profile: local}]", "decisions.0.serial: invalid ("),
    "a rule with a number": (
        "decisions: [{serial: 4711, profile: local}]",
        "decisions.0.serial: invalid value (expected text (quote it), got 4711)",
    ),
    "a rule with an unknown condition": (
        "decisions: [{vender: Dell, profile: local}]",
        "decisions.0.vender: unknown key; did you mean vendor?",
    ),
    "a rule that is text": ("decisions: [local]", "decisions.0: invalid value (expected a mapping, got 'local')"),
    "decisions by name": ("decisions: {a: local}", "decisions: invalid value (expected a list, got a mapping)"),
    "Collins without a user": (
        "collins: {url: 'https://c', password_file: password}",
        "collins.user: missing (expected the user to log in as)",
    ),
    "Collins by FTP": (
        COLLINS.replace("https", "ftp"),
        "collins.url: invalid URL (expected http://HOST or https://HOST:PORT)",
    ),
    "Collins without a host": (COLLINS.replace("collins.example", ""), "collins.url: invalid URL"),
    "Collins at an invalid port": (COLLINS.replace(".example", ":99999"), "collins.url: invalid URL"),
    "Collins with a password in its URL": (
        COLLINS.replace("https://", "https://rack:hunter2@"),
        "collins.url: must not contain credentials (expected `user` and `password_file` beside a plain URL)",
    ),
    "Collins with a query": (COLLINS.replace(".example", "/?a=1"), "collins.url: must not contain ? or #"),
    "Collins with a password": (
        COLLINS.replace("password_file: password", "password: hunter2, password_file: password"),
        "collins.password: unknown key; did you mean password_file?",
    ),
    "a password file that is missing": (
        COLLINS.replace("file: password", "file: nowhere"),
        "collins.password_file: cannot be read (expected a file, got /",
    ),
    "a password file for all": (
        COLLINS.replace("file: password", "file: public"),
        "collins.password_file: readable by others (expected mode 0600 or 0640, got 0644): chmod 600 /",
    ),
    "polls without a pause": (
        COLLINS.replace("}", ", poll: 0}"),
        "collins.poll: out of range (expected 5 to 86400 seconds, got 0)",
    ),
    "a database with a password": (
        "database: postgresql://rack:hunter2@db/rack",
        "database: must not contain a password (expected none: libpq reads ~/.pgpass, or the file that PGPASSFILE na",
    ),
    "a database with a password in the query": (
        "database: postgresql://rack@db/rack?Password=hunter2",
        "database: must not contain a password",
    ),
    "a database of another kind": (
        "database: mysql://db/rack",
        "database: unsupported database (expected sqlite:////FILE or postgresql://USER@HOST/NAME, got the scheme 'mysq",
    ),
    "a database that is a path": ("database: /var/lib/rack.db", "database: unsupported database"),
    "a database in memory": ("database: 'sqlite:///:memory:'", "database: must be a file"),
    "a database without a name": ("database: postgresql://rack@db/", "database: names no database"),
    "an operator with a plain password": (
        "operators: {alice: hunter2}",
        "operators.alice: not a password hash (expected a crypt(5) hash, as `mkpasswd --method=yescrypt` prints it; ",
    ),
    "an operator with a number": (
        "operators: {alice: 1234}",
        "operators.alice: invalid value (expected text (quote it), got another type)",
    ),
    "operators in a list": ("operators: [alice]", "operators: invalid value (expected a mapping, got another type)"),
    "an operator with a blank": (f"operators: {{al ice: {HASH}}}", "operators.al ice: invalid operator (expected NAME"),
    "an operator of another role": (f"operators:\n  bob:admin: {HASH}", "operators.bob:admin: invalid operator"),
    "an operator twice": (
        f"operators:\n  bob: {HASH}\n  bob:view: {HASH}",
        "operators.bob:view: duplicate operator (expected one entry for bob)",
    ),
    "a token for no time": (
        "token_seconds: 0",
        "token_seconds: out of range (expected 1 to 2592000 seconds, got 0)",
    ),
    "a token for a year": ("token_seconds: 31536000", "token_seconds: out of range"),
    "a token of text": ("token_seconds: 1h", "token_seconds: invalid value (expected a whole number, got '1h')"),
    "no retention": ("retention_days: 0", "retention_days: out of range (expected 1 to 36500 days, got 0)"),
    "a certificate alone": ("certificate: public", "key: missing (expected beside certificate)"),
    "a key alone": ("key: password", "certificate: missing (expected beside key)"),
    "a key for all": ("certificate: public\nkey: public", "key: readable by others"),
    "a certificate that is missing": ("certificate: nowhere\nkey: password", "certificate: cannot be read"),
    "a proxy anywhere": ("trusted_proxy: {}", "trusted_proxy.addresses: missing (expected the addresses of the pro"),
    "a proxy by name": (
        "trusted_proxy: {addresses: [proxy.example]}",
        "trusted_proxy.addresses.0: invalid (expected an IP address or network, got 'proxy.example')",
    ),
    "a proxy with a header of HTTP": (
        "trusted_proxy: {addresses: [127.0.0.1], header: Authorization}",
        "trusted_proxy.header: has another meaning",
    ),
}


@pytest.mark.parametrize(("text", "message"), BAD.values(), ids=BAD.keys())
def test_a_mistake_is_named_with_its_key(write: Write, text: str, message: str) -> None:
    path = write(text)
    with pytest.raises(UserError) as caught:
        config.read(path)
    assert caught.value.status == 2
    assert f"\n  rack.yml: {message}" in caught.value.message
    assert "hunter2" not in str(caught.value)


def test_all_mistakes_are_named_at_once(write: Write) -> None:
    text = f"""
intreface: eth0
interface: a/b
images: {{a: nowhere, b: empty, c/d: image}}
profiles:
  local: {{image: a, cmdline: net}}
  p: {{image: z, cmdline: "rack_url=http://x", jobs: [dance], destructive: maybe, comment: x}}
  q: {{cmdline: "a\\tb"}}
  wipe: {{image: a, destructive: true}}
decisions:
  - {{profile: nothing}}
  - {{mac: abc, profile: local}}
  - {{status: Broken, state: "a b", profile: local}}
  - {{profile: wipe, serial: "", port: 7}}
  - {{unknown: sometimes, model: X}}
  - {{vendor: , profile: local}}
collins: {{url: "gopher://c", user: "", password_file: public, poll: 1, pol: 2}}
database: postgresql://rack:hunter2@db/rack
operators: {{alice: hunter2, "a b": {HASH}, carol: 12}}
token_seconds: -1
retention_days: 0
certificate: nowhere
trusted_proxy: {{addresses: [x], header: "a b"}}
"""
    with pytest.raises(UserError) as caught:
        config.read(write(text))
    named = """
        intreface interface images.a images.b images.c/d profiles.local profiles.p.image profiles.p.cmdline
        profiles.p.jobs.0 profiles.p.destructive profiles.p.comment profiles.q.image profiles.q.cmdline
        decisions.0.profile decisions.1 decisions.1.mac decisions.2 decisions.2.status decisions.2.state decisions.3
        decisions.3.profile decisions.3.serial decisions.3.port decisions.4 decisions.4.unknown decisions.4.profile
        decisions.5 decisions.5.vendor collins.url collins.user collins.password_file collins.poll collins.pol database
        operators.alice operators.carol token_seconds retention_days certificate key trusted_proxy.addresses.0
        trusted_proxy.header
        """
    keys = [line.split(": ")[1] for line in caught.value.message.splitlines()[1:]]
    assert set(keys) == {*named.split(), "operators.a b"}
    assert "hunter2" not in str(caught.value)
