"""Whose turn it is in a lane: callers take turns, whatever the number of their jobs (start-time fair queueing).

P. Goyal, H. M. Vin, H. Cheng: Start-time Fair Queueing, 1996, with jobs of equal length: a job's rank is its start
tag. A caller's next job ranks one behind its last, and never before the lane's head; so a newcomer's first job stands
behind at most one job of each other caller, and nobody saves up turns.
"""

from spillway.domain.jobs import Job


def rank(head: int | None, own_last: int | None) -> int:
    """The rank of a new job: `head` is the rank of the lane's first job, `own_last` that of its caller's last."""
    return max(head or 0, 0 if own_last is None else own_last + 1)


def place(job: Job) -> str:
    """A text that sorts as (rank, created_at, id) do, so that every store can order and compare by one value."""
    return f"{job.rank:010d} {job.created_at:017.6f} {job.id}"
