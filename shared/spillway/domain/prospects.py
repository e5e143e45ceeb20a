"""When whoever found no slot of the subnet may expect one: what a caller is told who has to come back. Seconds."""

from spillway.domain.policy import SubnetPolicy

LEAST_SLOTS = 0.5


def slot_in_s(policy: SubnetPolicy, now: float) -> float:
    """The expected time until a slot for one more request.

    In the time of a job each slot comes free once, for those who wait already and for those who come meanwhile: of
    `load` requests `slots` get one. So whoever asks about once in that time gets one after `load / slots` such times,
    callers who were sent away and ask again among them. A subnet that is down has to be seen alive before.
    """
    job_s, slots = policy.estimate.jobs.mean_s, max(LEAST_SLOTS, policy.limit / (1 + len(policy.estimate.peers)))
    if not policy.up:
        return max(0.0, policy.probing.next_at - now) + job_s
    load = policy.line.demand.load(now, job_s)
    return job_s * max(load, policy.waiting + 1.0) / slots
