"""fcnn train --replay STEP: one step again, from the checkpoint before it."""

import jax
import numpy as np

from fcnn import training
from fcnn.cli.output import Misuse
from fcnn.cli.train.plan import Plan
from fcnn.cli.train.trained import state_of
from fcnn.training.checkpoint import Damaged
from fcnn.training.checkpoint.same import require_same
from fcnn.training.shuffle import indices_of_epoch
from fcnn.training.step import updating


def replay(made: Plan, step: int) -> int:
    """Print what each layer computes in a step; 1 if something is not finite.

    Steps between the checkpoint and this step are made first, as in training.
    """
    checkpoints, recipe, source = made.checkpoints(), made.recipe, made.data.train
    before = [saved for saved in checkpoints.steps() if saved < step]
    if not before:
        known = ", ".join(map(str, checkpoints.steps())) or "none"
        raise Misuse(
            f"--replay {step}: no checkpoint before it in {made.folder}; there are {known}"
        )
    try:
        found = checkpoints.read_receipt(before[-1])
        config = {**found.config, **made.config, "batch size": made.chosen.batch_size}
        require_same(checkpoints.path(before[-1]), found, config)
        train_state = state_of(recipe, made.config, checkpoints.arrays(found))
    except Damaged as damage:
        raise Misuse(f"{checkpoints.path(before[-1])} is damaged: {damage}") from None
    print(f"from {checkpoints.path(before[-1])}", flush=True)
    if made.chosen.accumulate > 1:
        print("the batch is replayed as one part: dropout masks and batch statistics differ")

    def batch(number: int):
        epoch, i = divmod(number, made.steps_per_epoch)
        rows = indices_of_epoch(train_state.key, epoch, source.length, made.chosen.batch_size)
        return source.take(np.asarray(rows[i]))

    options = {"augment": recipe.augment, "accumulate": made.chosen.accumulate}
    update = jax.jit(updating(recipe.model, recipe.loss, recipe.optimizer, **options))
    for number in range(before[-1], step - 1):
        train_state, _ = update(train_state, batch(number))
    shown = training.replay(
        recipe.model,
        recipe.loss,
        recipe.optimizer,
        train_state,
        batch(step - 1),
        augment=recipe.augment,
    )
    print(shown)
    return 0 if shown.first is None else 1
