"""A turn is not spent until it works: the life of a pass begins when the backend first answers its holder.

A pass that was just granted is on *trial*. While its first requests come to nothing through the backend's fault (5xx,
no answer), each failure puts the end of the pass forward, and the first answer ends the trial: then its life begins.
What a visitor breaks off counts as nothing. The trial is over in any case at a moment of the pass clock that was set
as the pass was granted, so that no backend and no visitor can stretch a stay without bound. Pure.
"""

from gateway.room.model import Limits, PassGrant


def on_trial(grant: PassGrant, pass_clock_ms: int) -> bool:
    """Whether it is still to be shown that the backend serves this pass."""
    return grant.trial is not None and pass_clock_ms < grant.trial.until_ms


def tried(grant: PassGrant, limits: Limits, pass_clock_ms: int, *, works: bool) -> PassGrant:
    """The pass after the backend answered (works) or failed one of its requests; as it was, if it is not on trial."""
    if grant.trial is None or not on_trial(grant, pass_clock_ms):
        return grant
    trial = None if works else grant.trial._replace(failed=True)
    if works and not grant.trial.failed:
        return grant._replace(trial=trial)
    ends_ms = max(grant.ends_ms, pass_clock_ms + limits.session_length_ms)
    expires_ms = max(grant.expires_ms, min(ends_ms, pass_clock_ms + limits.idle_limit_ms))
    lives_ms = expires_ms - pass_clock_ms
    return grant._replace(expires_ms=expires_ms, ends_ms=ends_ms, lives_ms=lives_ms, trial=trial)
