from __future__ import annotations

import re
from pathlib import Path

from alchemy.config import example
from alchemy.rack import config
from alchemy.rack.config import RackConfig
from tests import repository

EXAMPLE = repository.ROOT / config.EXAMPLE


def _read(folder: Path, text: str) -> RackConfig:
    """Reads a rack.yml beside the files that the example names."""
    for name in ("alchemy.img", "alchemy.ramfs"):
        (folder / "bin").mkdir(exist_ok=True)
        (folder / "bin" / name).write_bytes(b"x")
    for name in ("rack.pem", "rack.key", "collins.password"):
        (folder / name).write_text("x\n", encoding="ascii")
        (folder / name).chmod(0o600)
    path = folder / "rack.yml"
    path.write_text(text.replace("/srv/alchemy/1.1", "bin"), encoding="utf-8")
    return config.read(path)


def test_the_example_as_it_is_has_the_defaults(tmp_path: Path) -> None:
    assert _read(tmp_path, EXAMPLE.read_text(encoding="utf-8")) == RackConfig()


def test_the_example_explains_every_key() -> None:
    explained = example.explanations(EXAMPLE.read_text(encoding="utf-8"))
    assert set(explained) == set(RackConfig.model_fields)
    assert all(len(words.split()) > 5 for words in explained.values())


def test_all_examples_are_valid_together(tmp_path: Path) -> None:
    text = re.sub(r"^#(?=\w+:|  )", "", EXAMPLE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    found = _read(tmp_path, text)
    assert found.model_fields_set == set(RackConfig.model_fields)
    assert set(found.images) == {"alchemy", "alchemy-1.1"}
    assert found.profiles["wipe"].destructive
    assert found.profiles["burnin"].cmdline == "net lldpd burnin_profile=long"
    assert [rule.profile for rule in found.decisions or ()] == ["rescue", "burnin", "intake"]
    assert set(found.operators) == {"alice", "noc:view"}


def test_the_defaults_of_the_example_are_those_of_the_code(tmp_path: Path) -> None:
    lines = re.findall(r"^#((?:token_seconds|retention_days): \d+)", EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(lines) == 2
    assert _read(tmp_path, "\n".join(lines)) == RackConfig()
