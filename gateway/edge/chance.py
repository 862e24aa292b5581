"""Chance that needs no secret, such as who asks again when; each worker's own, though workers are forked from one."""

import os
import random
from typing import Final

CHANCE: Final = random.Random()  # noqa: S311
os.register_at_fork(after_in_child=CHANCE.seed)
