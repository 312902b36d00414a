"""Writes the state file of Breakin, so that what read it goes on working.

Source of the format: Breakin writes lines KEY="value", its tests numbered from 0; genesis reads them line by line.
"""

from __future__ import annotations

import re

from alchemy_node.burnin import findings
from alchemy_node.burnin.model import Run, Step

# what neither a shell nor a reader of lines takes for anything but text
_OTHERS = re.compile(r"[^A-Za-z0-9 .,:;/()%+=_-]")


def text(run: Run) -> str:
    """Returns the file: for each step its name, last message, whether it runs, and how often it passed and failed."""
    steps = list(run.steps.values())
    lines = [f'BURNIN_QTY="{len(steps)}"']
    for number, step in enumerate(steps):
        passed, failed = _counts(run, step)
        values = {
            "NAME": step.name,
            "LASTMSG": findings.step_reason(run, step),
            "RUNNING": str(int(step.status is None and run.status is None)),
            "PASS_QTY": str(passed),
            "FAIL_QTY": str(failed),
        }
        lines += [f'BURNIN_{number}_{key}="{_OTHERS.sub("?", value)[:200]}"' for key, value in values.items()]
    # a run that proved nothing must not look like one without failures
    total = run.failures or int(findings.verdict(run) == "ERROR")
    return "".join(f"{line}\n" for line in [*lines, f'BURNIN_TOTAL_FAIL_QTY="{total}"'])


def _counts(run: Run, step: Step) -> tuple[int, int]:
    types = [diagnosis.type for diagnosis in run.diagnoses if diagnosis.step_id == step.id]
    return types.count("PASS"), types.count("FAIL")
