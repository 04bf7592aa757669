"""What tests of jobs share: a job, begun and followed to its end."""

from typing import Any

from app.background.jobs import Jobs
from app.service import Service
from tests.house import House, eventually

ENDED = {"done", "stopped", "failed"}


def anew(service: Service) -> Jobs:
    """The service's jobs after its end, as another process would go on with them."""
    parts = service.store, service.retry, service.group_commit, service.vault, service.source_cache, service.source_api
    return Jobs(*parts, service.tuning)


async def ended(house: House, job_id: str) -> Any:
    """The job, once it has ended."""
    return await eventually(
        lambda: house.get(f"/v1/jobs/{job_id}?wait=5"), lambda job: job["state"] in ENDED, within=60
    )


async def begun(house: House, path: str, body: dict[str, Any]) -> str:
    """A job, begun; gives its id."""
    answer = await house.call("POST", path, body)
    assert answer.status_code == 202, answer.text
    job_id: str = answer.json()["job_id"]
    return job_id


async def done(house: House, path: str, body: dict[str, Any]) -> Any:
    """A job, begun and done."""
    job = await ended(house, await begun(house, path, body))
    assert job["state"] == "done", job
    return job


async def changes(house: House, job: Any, kind: str | None = None) -> list[Any]:
    """Everything that a job changed, page by page."""
    found: list[Any] = []
    cursor = ""
    while True:
        query = f"limit=2{f'&kind={kind}' if kind else ''}{f'&cursor={cursor}' if cursor else ''}"
        page = await house.get(f"/v1/jobs/{job['id']}/changes?{query}")
        found += page["data"]
        cursor = page["next_cursor"]
        if cursor is None:
            return found
