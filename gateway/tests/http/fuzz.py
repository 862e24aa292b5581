"""Look further than the tests do: `python -m gateway.tests.http.fuzz --seconds 600`.

Prints what became of what was generated, and ends at the first broken promise with the smallest example of it.
"""

import argparse
import logging
import secrets
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, given, seed, settings

from gateway.tests.http.grammar import Reply, Sent, hostile_replies, hostile_streams
from gateway.tests.http.lenient import SERIAL
from gateway.tests.http.trial import Rig, Trial, rig

EXAMPLES_PER_ROUND = 200


def outcomes(trial: Trial) -> list[str]:
    """A word for the stream, and one for each answer in it."""
    answers = trial.talks[0].answers.messages
    own = [answer for answer in answers if answer.all(b"sunbeon-gate")]
    words = [f"request answered by the gateway: {answer.start[1].decode()}" for answer in own]
    words += ["request forwarded"] * sum(bool(answer.all(SERIAL.lower())) for answer in answers)
    return [*words, "stream forwarded, all or some" if len(own) < len(answers) else "stream not forwarded"]


def one_round(at_work: Rig, number: int, counts: Counter[str]) -> None:
    """Raises AssertionError with the smallest example of a broken promise."""
    rules = settings(
        max_examples=EXAMPLES_PER_ROUND, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )

    @seed(number)
    @rules
    @given(hostile_streams)
    def requests(stream: Sent) -> None:
        trial = at_work.try_out(stream)
        counts.update(outcomes(trial))
        trial.check()

    @seed(number)
    @rules
    @given(hostile_replies)
    def answers(reply: Reply) -> None:
        trial = at_work.answer(reply)
        got = trial.talks[0].answers.messages
        refused = got and got[0].all(b"sunbeon-gate")
        counts["answer refused" if refused else "answer passed on" if got else "answer cut"] += 1
        trial.check()

    requests()
    answers()


def main() -> int:
    logging.disable()
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=60)
    options.add_argument("--seed", type=int, default=secrets.randbits(32))
    told = options.parse_args()
    print(f"seed {told.seed}")
    counts: Counter[str] = Counter()
    number, until = told.seed, time.monotonic() + told.seconds
    with tempfile.TemporaryDirectory() as folder, rig(Path(folder)) as at_work:
        try:
            while time.monotonic() < until:
                one_round(at_work, number, counts)
                number += 1
        except AssertionError as error:
            print(f"broken with --seed {number}: {error}")
            return 1
        finally:
            for word, count in sorted(counts.items()):
                print(f"{count:8}  {word}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
