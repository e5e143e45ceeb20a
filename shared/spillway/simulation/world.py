"""One pipeline of a scenario, played: requests come, an instance's controller decides, subnet and hosted answer."""

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from spillway.domain.controller import Action, Controller, Ended
from spillway.domain.deadlines import WAIT_PART, share
from spillway.domain.warm import WarmRule
from spillway.domain.warm_terms import WarmTerms
from spillway.simulation.agenda import Agenda
from spillway.simulation.hosted import HostedModel
from spillway.simulation.load import Luck
from spillway.simulation.played import Sample, Tally
from spillway.simulation.scenario import PipelineLoad
from spillway.simulation.subnet import Subnet, SubnetTry

SAMPLES = 600
BALANCER_S = 60.0
MOST_WARM = 50


@dataclass(slots=True, eq=False)
class Job:
    """One request on its way. `answered` is None until somebody has answered it, or its time ran out."""

    key: int
    luck: Luck
    instance: "Instance"
    tried: SubnetTry | None = None
    tried_at: float = 0.0
    hosted: bool = False
    answered: float | None = None

    @property
    def waits(self) -> bool:
        """Whether it has not been decided on yet."""
        return self.tried is None and not self.hosted and self.answered is None


@dataclass(slots=True, eq=False)
class Instance:
    """A front door: its controller, and the alarm it has set."""

    controller: Controller
    alarm: float = math.inf


class World:
    """A pipeline with its instances on one agenda."""

    def __init__(
        self, load: PipelineLoad, controllers: Sequence[Controller], agenda: Agenda, *, delay_s: float, period_s: float
    ):
        self._load = load
        self._agenda = agenda
        self.subnet = Subnet(load, agenda)
        self.hosted = HostedModel(load.fallback)
        self.instances = [Instance(controller) for controller in controllers]
        self._jobs: dict[int, Job] = {}
        self._warm = WarmRule(_warm_terms(load), 0.0)
        self.tally = Tally()
        self.samples: list[Sample] = []
        self._delay_s, self._period_s = delay_s, period_s

    def play(self, lucks: Sequence[Luck], seconds: float) -> None:
        """Enter everything that comes from outside; the agenda then runs it."""
        self._feed(iter(enumerate(lucks)))
        for place in range(SAMPLES + 1):
            self._agenda.at(seconds * place / SAMPLES, self._sample)
        for minute in range(1, int(seconds // BALANCER_S) + 1):
            self._agenda.at(minute * BALANCER_S, self._balance)
        if len(self.instances) > 1:
            for place in range(len(self.instances)):
                first = self._period_s * (place + 1) / len(self.instances)
                self._agenda.at(first, functools.partial(self._publish, place, seconds))

    def _feed(self, lucks: "Iterator[tuple[int, Luck]]") -> None:
        pair = next(lucks, None)
        if pair is None:
            return
        key, luck = pair

        def come() -> None:
            self._feed(lucks)
            self._arrive(key, luck)

        self._agenda.at(luck.at, come)

    def _arrive(self, key: int, luck: Luck) -> None:
        job = Job(key, luck, self.instances[luck.instance])
        self._jobs[key] = job
        self._agenda.after(self._load.deadline_s, lambda: self._expire(job))
        self._do(job.instance, job.instance.controller.arrive(key, self._agenda.now))
        if job.waits:
            self._agenda.after(WAIT_PART * self._load.deadline_s, lambda: self._overtime(job))

    def _overtime(self, job: Job) -> None:
        if job.waits:
            self._do(job.instance, job.instance.controller.leave(job.key, self._agenda.now))
            self._fall_back(job)

    def _do(self, instance: Instance, actions: list[Action]) -> None:
        for action in actions:
            job = self._jobs[action.key]
            if action.go == "subnet":
                self._try(job)
            else:
                self._fall_back(job)
        wake_at = instance.controller.wake_at()
        if wake_at < instance.alarm:
            instance.alarm = wake_at
            self._agenda.at(wake_at, lambda: self._ring(instance, wake_at))

    def _ring(self, instance: Instance, alarm: float) -> None:
        if alarm == instance.alarm:
            instance.alarm = math.inf
            self._do(instance, instance.controller.tick(self._agenda.now))

    def _try(self, job: Job) -> None:
        controller, now = job.instance.controller, self._agenda.now
        self.tally.attempts += 1
        job.tried_at = now
        job.tried = self.subnet.start(job.luck, lambda how: self._ended(job, how))
        left_s = self._load.deadline_s - (now - job.luck.at)
        hedge_s, patience_s = controller.hedge_s(), share(left_s, limit_s=controller.patience_s(), more=1)
        if hedge_s < patience_s:
            self._agenda.at(now + hedge_s, lambda: self._hedge(job))
        self._agenda.at(now + patience_s, lambda: self._give_up(job))

    def _hedge(self, job: Job) -> None:
        open_ = job.tried is not None and job.answered is None and not job.hosted
        if open_ and job.instance.controller.may_hedge(job.key, self._agenda.now):
            self._fall_back(job)

    def _give_up(self, job: Job) -> None:
        if job.tried is not None:
            self.subnet.hang_up(job.tried)
            self._ended(job, Ended.TIMEOUT)

    def _ended(self, job: Job, how: Ended) -> None:
        tried, job.tried = job.tried, None
        beaten = job.answered is not None
        useful = how is Ended.SERVED and not beaten
        if useful:
            self.tally.subnet += 1
            self.tally.proven.append(job.tried_at)
            self._answer(job)
        else:
            self.tally.doomed += 1
            self.tally.refused += tried is not None and tried.full
        actions = job.instance.controller.ended(job.key, how, self._agenda.now)
        if job.answered is None and not job.hosted:
            self._fall_back(job)
        self._do(job.instance, actions)

    def _fall_back(self, job: Job) -> None:
        job.hosted = True
        self._warm.observe(self._agenda.now)
        began = self._agenda.now
        job.instance.controller.hosted_began(job.key, began)
        self.hosted.run(self._agenda, lambda: self._hosted_answer(job, began))

    def _hosted_answer(self, job: Job, began: float) -> None:
        job.instance.controller.hosted_ended(job.key, self._agenda.now - began, self._agenda.now)
        if job.answered is not None:
            return
        self.tally.fallback += 1
        self._answer(job)
        if job.tried is not None:
            self._do(job.instance, job.instance.controller.beaten(job.key, self._agenda.now))

    def _answer(self, job: Job) -> None:
        job.answered = self._agenda.now - job.luck.at
        self.tally.latencies.append(job.answered)
        self.tally.waited_s += job.answered

    def _expire(self, job: Job) -> None:
        if job.answered is None:
            self.tally.failed += 1
            self._answer(job)
            self._do(job.instance, job.instance.controller.leave(job.key, self._agenda.now))

    def _publish(self, place: int, seconds: float) -> None:
        now = self._agenda.now
        report = self.instances[place].controller.report(now)

        def hear() -> None:
            for other, instance in enumerate(self.instances):
                if other != place:
                    self._do(instance, instance.controller.merge({str(place): report}, self._agenda.now))

        self._agenda.after(self._delay_s, hear)
        if now < seconds:
            self._agenda.after(self._period_s, lambda: self._publish(place, seconds))

    def _balance(self) -> None:
        """The balancer's timed round."""
        self.hosted.keep(self._warm.wanted(self._agenda.now), self._agenda.now)

    def _sample(self) -> None:
        tally, now = self.tally, self._agenda.now
        controllers = [instance.controller for instance in self.instances]
        self.samples.append(
            Sample(
                at=now,
                slots=self.subnet.slots,
                in_flight=self.subnet.busy,
                waiting=sum(controller.waiting for controller in controllers),
                limit=fmean(controller.limit for controller in controllers),
                subnet=tally.subnet,
                fallback=tally.fallback,
                failed=tally.failed,
                refused=tally.refused,
                usd=self.hosted_usd(now),
                warm=self.hosted.kept,
            )
        )

    def hosted_usd(self, now: float) -> float:
        """What hosted inference has cost."""
        terms = self._load.fallback
        return self.hosted.jobs * terms.usd_per_job + self.hosted.kept_s(now) * terms.usd_per_warm_second


def _warm_terms(load: PipelineLoad) -> WarmTerms:
    """Instances that are kept warm are paid by the second, busy or not; others only by the job."""
    hosted = load.fallback
    return WarmTerms(
        usd_per_warm_second=hosted.usd_per_warm_second,
        cold_start_s=hosted.cold_start,
        usd_per_second=load.prices.per_second,
        service_s=hosted.seconds,
        max_instances=MOST_WARM,
        billed="kept",
        round_s=BALANCER_S,
    )
