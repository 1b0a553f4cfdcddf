"""Training survives: `fcnn train` is killed, its checkpoints are damaged, its disk is full.

A child process runs the real command, with a state of 17 MB. The experiment waits for a line that
it prints, such as "saving step 8", and strikes. The same command is started again, until the run
ends. Its parameters, optimizer state, keys and metrics are compared bit for bit with a run that was
never struck.

    1. every killed run ends equal, bit for bit;
    2. kills strike all five moments: the first compilation, saving, deleting, mid-epoch, an epoch's
       end; where a kill struck is read from the disk;
    3. a kill loses at most the steps since the last checkpoint;
    4. every checkpoint that is there after a kill is whole;
    5. no damaged checkpoint restores wrong bits;
    6. every damage is named, and the checkpoint before is used, or it has no effect;
    7. every other fault ends with its exit code and one line, and loses no checkpoint.

Command: python -m experiments faults
Result:  docs/faults.md has the tables, with device and minutes.
"""

from experiments.faults.config import Config, parts, prepare
from experiments.faults.measure import measure
from experiments.faults.results import CLAIMS, evidence, tables
from experiments.framework.experiment import Experiment

EXPERIMENT = Experiment(
    name="faults",
    title="Training survives kills, damaged files and full disks",
    description="fcnn train in child processes, compared bit for bit with a run without faults.",
    reach="Processes on one machine with a local disk. Network file systems, failing memory and "
    "kills of several hosts are not covered.",
    claims=CLAIMS,
    config=Config,
    prepare=prepare,
    parts=parts,
    measure=measure,
    evidence=evidence,
    tables=tables,
    notes=lambda config: [
        "Where a SIGKILL struck is decided by the files that it left (faults/struck.py).",
        "Lost steps: the last step that was printed or saved, minus the step of the restart.",
        f"Seed of moments and damages: {config.seed}. {config.jobs} processes at a time.",
    ],
)
