from __future__ import annotations

import re

import pytest

from alchemy.context import Context
from alchemy.errors import BuildError, UserError
from alchemy.host import logs
from alchemy.stages import plan
from tests.unit.fakes import fake_stage


def write(context: Context, *names: str) -> None:
    for name in names:
        context.logfile(name).parent.mkdir(parents=True, exist_ok=True)
        context.logfile(name).write_text(name, encoding="utf-8")


def test_the_log_of_a_stage_is_found(context: Context) -> None:
    write(context, "kernel", "system")
    assert logs.find(context, "kernel") == context.logfile("kernel")


def test_with_no_stage_it_is_the_log_of_the_last_failure(context: Context) -> None:
    def build(_: object) -> None:
        write(context, "kernel")
        raise BuildError("no gold")

    with pytest.raises(BuildError):
        plan.realize(context, [fake_stage(context.cache, "kernel", build=build)])
    write(context, "system")
    assert logs.find(context) == context.logfile("kernel")


def test_an_error_that_no_program_tells_of_is_the_log_itself(context: Context) -> None:
    def build(_: object) -> None:
        raise UserError("no gold", hint="dig")

    with pytest.raises(UserError):
        plan.realize(context, [fake_stage(context.cache, "linux", build=build)])
    assert logs.find(context).read_text(encoding="utf-8") == "no gold\nhint: dig\n"


def test_a_new_build_forgets_the_failure_of_the_one_before(context: Context) -> None:
    write(context, "kernel")
    logs.failed(context, "kernel", BuildError("no gold"))
    logs.begin(context)
    with pytest.raises(UserError, match="did not fail") as caught:
        logs.find(context)
    assert caught.value.hint == "there are logs of kernel"


@pytest.mark.parametrize("name", ["kernle", "../../config", "/etc/passwd"])
def test_what_is_no_stage_has_no_log(context: Context, name: str) -> None:
    context.work.mkdir()
    (context.root / "config.log").write_text("secret", encoding="utf-8")
    with pytest.raises(UserError, match=f"{re.escape(name)}: no log"):
        logs.find(context, name)


def test_nothing_was_built_yet(context: Context) -> None:
    with pytest.raises(UserError) as caught:
        logs.find(context)
    assert caught.value.hint == "nothing was built yet"
