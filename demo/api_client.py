"""The few calls of the REST contract that the demo and the benchmarks make."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import httpx

Json = dict[str, Any]
# An upload is answered when its rows are validated and stored: minutes for a large file.
TIMEOUT = httpx.Timeout(30.0, read=600.0, write=600.0)
ACTIVE_STATES = ("queued", "running")


class ApiProblem(Exception):
    """The service refused: its `application/problem+json`, as one message."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        self.status = status
        self.code = problem.get("code")
        details = [
            f"  {error.get('pointer', '')}: {error.get('message', '')}"
            for error in problem.get("errors") or ()
        ]
        first = f"{status} {problem.get('title', '')}: {problem.get('detail', '')}"
        super().__init__("\n".join([first, *details]))


class ApiClient:
    """A connection to one service; closes with its `with` block."""

    def __init__(self, url: str, *, transport: httpx.BaseTransport | None = None) -> None:
        # The service is on this machine: a proxy of the environment has no part in it.
        self._http = httpx.Client(
            base_url=url, timeout=TIMEOUT, transport=transport, trust_env=False
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def upload(self, file: Path, *, name: str, **columns: str) -> Json:
        """Upload a file as a dataset; `columns` are the form's `text_column` and the like."""
        with file.open("rb") as stream:
            return self._ask(
                "POST",
                "/datasets",
                files={"file": (file.name, stream)},
                data={"name": name, **columns},
            )

    def create_job(self, spec: Json) -> Json:
        return self._ask("POST", "/jobs", json=spec)

    def job(self, job_id: str) -> Json:
        return self._ask("GET", f"/jobs/{job_id}")

    def report(self, job_id: str) -> Json:
        return self._ask("GET", f"/jobs/{job_id}/report")

    def cancel(self, job_id: str) -> Json:
        return self._ask("POST", f"/jobs/{job_id}/cancel")

    def active_jobs(self) -> list[Json]:
        """Queued and running jobs, at most a hundred of each."""
        return [
            job
            for state in ACTIVE_STATES
            for job in self._ask("GET", "/jobs", params={"state": state, "limit": 100})["data"]
        ]

    def predict(self, model: str, texts: Sequence[str], *, top_k: int) -> Json:
        body = {"model": model, "input": list(texts), "top_k": top_k}
        return self._ask("POST", "/predict", json=body)

    def _ask(self, method: str, path: str, **content: Any) -> Json:
        """Raises ApiProblem for a refusal, httpx.TransportError for no answer at all."""
        answer = self._http.request(method, path, **content)
        if answer.is_success:
            found: Json = answer.json()
            return found
        raise ApiProblem(answer.status_code, _problem(answer))


def _problem(answer: httpx.Response) -> Json:
    try:
        found = answer.json()
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"detail": answer.text[:500]}
