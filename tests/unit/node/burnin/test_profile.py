"""Profiles: the built-in ones, and what is refused in one of the user's own."""

from __future__ import annotations

import pytest

from alchemy_node.burnin import profile
from alchemy_node.burnin.profile import Phase, ProfileError

GOOD = """
time = "2h30m"
[[phases]]
share = 1
steps = ["cpu"]
[[phases]]
share = 3
steps = ["memory", "disks"]
[limits]
memory_corrected = 2
[options]
self_test = "long"
"""


@pytest.mark.parametrize(("name", "hours"), [("quick", 0.25), ("short", 2), ("standard", 24), ("long", 48)])
def test_each_built_in_profile_tests_every_kind_of_hardware(name: str, hours: float) -> None:
    built_in = profile.load(name)
    assert built_in.seconds == hours * 3600
    assert sum(built_in.durations()) == pytest.approx(built_in.seconds)
    assert {step for phase in built_in.phases for step in phase.steps} >= {"cpu", "memory", "disks", "network"}
    assert built_in.limits == profile.LIMITS


def test_a_profile_of_ones_own() -> None:
    own = profile.parse(GOOD.encode(), "ours")
    assert (own.name, own.seconds, own.options.self_test) == ("ours", 9000, "long")
    assert own.phases == (Phase(1, ("cpu",)), Phase(3, ("memory", "disks")))
    assert own.durations() == (2250, 6750)
    assert own.limits == {**profile.LIMITS, "memory_corrected": 2}


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("time = ", ["not TOML"]),
        ("", ["time: invalid (expected a string like '2h', got nothing)", "phases: invalid"]),
        (GOOD.replace("2h30m", "2 hours"), ["time: '2 hours': not a duration (expected one like 90m"]),
        (GOOD.replace("2h30m", "0s"), ["time: '0s': not a duration"]),
        (GOOD.replace("2h30m", "61d"), ["time: '61d': not a duration"]),
        (GOOD.replace('"2h30m"', "7200"), ["time: invalid (expected a string like '2h', got 7200)"]),
        (GOOD.replace("share = 1", "share = 0"), ["phases[1].share: invalid (expected a number from 0.001 to 1e+06"]),
        (GOOD.replace("share = 1", "share = true"), ["phases[1].share: invalid"]),
        (GOOD.replace("share = 1", "share = nan"), ["phases[1].share: invalid"]),
        (GOOD.replace("share = 1", "part = 1"), ["phases[1].part: unknown key", "phases[1].share: invalid"]),
        (GOOD.replace('["cpu"]', '["cpus"]'), ["phases[1].steps: unknown step 'cpus' (expected cpu, memory, disks"]),
        (GOOD.replace('["cpu"]', '["cpu", "cpu"]'), ["phases[1].steps: duplicate step"]),
        (GOOD.replace('["cpu"]', "[]"), ["phases[1].steps: invalid (expected a list of steps, got [])"]),
        (GOOD.replace('["cpu"]', "[[]]"), ["phases[1].steps: invalid"]),
        (GOOD.replace("memory_corrected", "memory_corected"), ["limits.memory_corected: unknown key (did you mean"]),
        (GOOD.replace("memory_corrected = 2", "memory_corrected = -1"), ["limits.memory_corrected: invalid"]),
        (GOOD.replace('"long"', '"all"'), ["options.self_test: invalid (expected none, short or long, got 'all')"]),
        ("limits = 3\n" + GOOD.replace("[limits]\nmemory_corrected = 2\n", ""), ["limits: invalid (expected a table"]),
        ("wipe = true\n" + GOOD, ["wipe: unknown key"]),
        ("[" * 5000, ["not TOML"]),
        ("#" * 70000, ["too large (expected at most 65536 bytes, got 70000)"]),
    ],
)
def test_what_is_wrong_with_a_profile(text: str, messages: list[str]) -> None:
    with pytest.raises(ProfileError) as raised:
        profile.parse(text.encode(), "ours")
    lines = str(raised.value).splitlines()
    assert len(lines) == len(messages)
    for line, message in zip(lines, messages, strict=True):
        assert line.startswith(f"profile ours: {message}")


def test_bytes_that_are_no_text() -> None:
    with pytest.raises(ProfileError, match="not TOML"):
        profile.parse(b"\xff\xfe", "ours")


def test_an_unknown_profile() -> None:
    with pytest.raises(ProfileError, match=r"'quik': unknown .* \(did you mean quick\?\)"):
        profile.load("quik")


@pytest.mark.parametrize(("text", "value"), [("90s", 90), ("15m", 900), ("1d12h", 129600), ("1h1m1s", 3661)])
def test_durations(text: str, value: float) -> None:
    assert profile.seconds(text) == value


@pytest.mark.parametrize("text", ["", "2", "h", "2h2h", "-2h", "1.5h", "2H", "99999d", "1h "])
def test_no_durations(text: str) -> None:
    with pytest.raises(ProfileError, match="not a duration"):
        profile.seconds(text)


@pytest.mark.parametrize("text", ["", "0", "-1", "nan", "inf", "x", "1e9"])
def test_no_factors(text: str) -> None:
    with pytest.raises(ProfileError, match="is not a factor"):
        profile.factor(text)


def test_a_scaled_profile_samples_more_often() -> None:
    scaled = profile.load("quick").scaled(profile.factor("0.02"))
    assert (scaled.seconds, scaled.options.sample_seconds) == (18, 1)


def test_only_some_steps() -> None:
    quick = profile.load("quick")
    assert [phase.steps for phase in quick.only(("memory",)).phases] == [("memory",), ("memory",)]
    assert [phase.steps for phase in quick.only(("reboot",)).phases] == [("reboot",)]
    assert quick.only(("pcie",)).phases == ()
    with pytest.raises(ProfileError, match=r"--only: unknown step 'disk' \(did you mean disks\?\)"):
        quick.only(("disk",))
