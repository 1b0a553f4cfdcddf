"""The runner of all experiments, from a command line to an exit code."""

import errno
from collections import Counter
from collections.abc import Sequence

from experiments.framework import interrupt
from experiments.framework.claim import registered
from experiments.framework.command_line import parse
from experiments.framework.context import Context
from experiments.framework.continued import earlier, require_same
from experiments.framework.exit_codes import EXIT, FAULT, MISUSE
from experiments.framework.experiment import Command, Part, Record
from experiments.framework.options import Options, given, with_defaults
from experiments.framework.run import Run, unwritable
from experiments.framework.running import Running
from experiments.framework.source import source
from experiments.framework.verdict import RULE
from fcnn.cli import compile_cache


def main(e: Record, arguments: list[str]) -> int:
    """Run `e` as `run` does, and stop it at SIGINT or SIGTERM."""
    with interrupt.listening(e.name):
        return run(e, arguments)


def run(e: Record, arguments: list[str], context: Context | None = None) -> int:
    """Run `e` as its command line asks; the exit code."""
    context = context or Context()
    if isinstance(e, Command):
        return e.command(arguments)
    about = f"{e.title}. {e.description}".strip()
    about = f"{about}{'' if about[-1] == '.' else '.'} {EXIT}"
    config = parse(e.config, e.name, arguments, about)
    options = given(config)
    try:
        before = earlier(e.name, config.continue_run) if config.continue_run else None
        if before:
            words = [*before.options(e.config), *arguments]
            config = parse(e.config, e.name, words, about)
        config, prepared = e.prepare(with_defaults(config))
        parts, data = list(e.parts(config, prepared)), e.data(prepared)
        _require_distinct(parts)
        if before:
            require_same(before, config, data)
    except ValueError as misuse:
        return context.refuse(f"{e.name}: {misuse}")
    receipt = {"experiment": e.name, "rule": RULE, "claims": list(map(registered, e.claims))}
    receipt |= {"data": data, "continues": before and before.receipt_for()}
    receipt |= {"options": before.receipt.get("options") if before else options}
    receipt |= {"source": before.source_with(source(e.name)) if before else source(e.name)}
    try:
        the_run = Run(e.name, config.output_dir, config, receipt)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        taken = before and before.config.get("output_dir") == str(config.output_dir)
        why = unwritable(config.output_dir, error, ", of the earlier run," if taken else "")
        return context.refuse(f"{e.name}: {why}", FAULT if full else MISUSE)
    if isinstance(config, Options):
        compile_cache.use(e.name, config.compile_cache)
    context.folder = the_run.folder
    return Running(e, config, the_run, before, context, data).all(prepared, parts)


def _require_distinct(parts: Sequence[Part]) -> None:
    """Raises: ValueError if two parts have the same name."""
    for name, count in Counter(part.name for part in parts).items():
        if count > 1:
            raise ValueError(f"two parts have the name {name!r}; write each value once")
