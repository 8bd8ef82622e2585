"""A job as a POST: the job as JSON, the answer's JSON as the output.

In: a job.  Out: its end: a 2xx succeeded, everything else failed; `again` where nothing was sent, because a circuit
breaker is open or nobody listens.

What always holds: one POST a job, never repeated; no redirect is followed; a job that is cancelled closes its
connection.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Final
from urllib.parse import urlsplit

import httpx

from govlang.client.wire import JSON, encode
from govlang.native.errors import CodedError
from govlang.runtime.control.breaker import Breaker
from govlang.runtime.worker.job import OUTPUT_MAX, Ended, WorkerJob, failed, output_of

CONNECT_S: Final = 5.0
SLOW_S: Final = 30.0
"""From how many seconds on the breaker counts a call as a failure."""


@dataclass(frozen=True, slots=True)
class HttpPlugin:
    """A URL; the worker bounds the time of a job, so the answer may take as long as that."""

    url: str
    breaker: Breaker = field(default_factory=lambda: Breaker(slow_s=SLOW_S))
    http: httpx.AsyncClient = field(
        default_factory=lambda: httpx.AsyncClient(
            timeout=httpx.Timeout(None, connect=CONNECT_S), follow_redirects=False
        )
    )
    is_asked: ClassVar[bool] = False

    async def run(self, job: WorkerJob) -> Ended:
        """POST a job."""
        try:
            call = self.breaker.admit(self.dependency)
        except CodedError as error:
            return Ended(outcome="again", error=error.message)
        try:
            status, body = await self._post(job)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
            call.failed()
            return Ended(outcome="again", error="nobody listens at the URL")
        except httpx.HTTPError as error:
            call.failed()
            return failed(f"no answer: {type(error).__name__}")
        except BaseException:
            call.abandoned()
            raise
        if status >= 500:
            call.failed()
        else:
            call.succeeded()
        return _ended(status, body)

    @property
    def dependency(self) -> str:
        """What the breaker knows the URL by."""
        return urlsplit(self.url).netloc

    async def _post(self, job: WorkerJob) -> tuple[int, bytes]:
        headers = {"Content-Type": JSON, "Accept": JSON, "Idempotency-Key": job.job_id}
        async with self.http.stream(
            "POST", self.url, content=encode(job.to_dict()), headers=headers
        ) as answer:
            body = bytearray()
            async for chunk in answer.aiter_bytes():
                body += chunk
                if len(body) > OUTPUT_MAX:
                    break
            return answer.status_code, bytes(body)

    async def close(self) -> None:
        """Close the connections."""
        await self.http.aclose()


def _ended(status: int, body: bytes) -> Ended:
    if not 200 <= status < 300:
        return failed(f"the answer is {status}")
    if len(body) > OUTPUT_MAX:
        return failed(f"the answer has more than {OUTPUT_MAX} bytes")
    return output_of(body, "the answer is no JSON")
