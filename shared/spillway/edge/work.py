"""What Pub/Sub pushes to a worker: that a job is due, or that it is time to sweep."""

from starlette.responses import JSONResponse, Response

from spillway.domain.job_messages import Sweep, read_message
from spillway.edge.push import Message
from spillway.errors import BadRequest
from spillway.services.sweeping import Sweeping
from spillway.services.workers import Worker


class Work:
    """Does what messages say."""

    def __init__(self, worker: Worker, sweeping: Sweeping):
        self._worker, self._sweeping = worker, sweeping

    async def take(self, message: Message) -> Response:
        """The reply once the work is done. Raises BadRequest for a message that says nothing: its dead-letter topic
        takes it in the end; and Conflict, StoreUnavailable where no job could be taken up.
        """
        try:
            said = read_message(message.data, message.attributes)
        except ValueError as error:
            raise BadRequest(str(error), code="poison_message") from error
        if isinstance(said, Sweep):
            swept = await self._sweeping.sweep()
            return JSONResponse({"done": {name: str(done) for name, done in swept.done.items()},
                                 "problems": swept.problems})  # fmt: skip
        await self._worker.work(said.lane, said.job_id)
        return Response(status_code=204)
