"""Answers in the shapes of the REST contract, for tests that need no service."""

from typing import Any

from llkd_client import Job, Report

Json = dict[str, Any]


def figure(value: float, *, spread: float = 0.02) -> Json:
    return {"value": value, "low": value - spread, "high": value + spread}


def report(
    *, student_f1: float = 0.74, gradient: int = 3104, unique: int = 1310, spread: float = 0.02
) -> Json:
    return {
        "object": "report",
        "job_id": "job_01",
        "teacher": {
            "kind": "few_shot",
            "answers": {"asked": 3200, "answered": 3200, "cached": 0},
            "evaluation": {
                "rows": 1000,
                "accuracy": figure(0.705),
                "macro_f1": figure(0.681),
            },
        },
        "student": {
            "evaluation": {
                "rows": 1000,
                "accuracy": figure(0.762),
                "macro_f1": figure(student_f1, spread=spread),
                "agreement_with_teacher": 0.83,
            }
        },
        "training": {
            "pool": 3200,
            "unique_samples": unique,
            "gradient_samples": gradient,
            "steps": 97,
            "forwards": 9600,
            "epochs": 3.0,
            "stop_reason": "early_stopping",
            "seconds": 61.4,
        },
    }


def job(
    *,
    state: str = "running",
    stage: str | None = "train",
    percent: float = 62.5,
    eta_seconds: float | None = 41.0,
    error: Json | None = None,
) -> Json:
    return {
        "id": "job_01",
        "object": "job",
        "state": state,
        "stage": stage,
        "progress": {
            "percent": percent,
            "eta_seconds": eta_seconds,
            "rows": 3200,
            "teacher": {
                "asked": 3200,
                "answered": 3200,
                "cached": 1200,
                "refused": 0,
                "malformed": 0,
            },
            "step": 1200,
            "steps": 1920,
            "selected": 5120,
            "selected_fraction": 0.26,
        },
        "stages": [
            {
                "name": "label",
                "state": "succeeded",
                "started_at": "2026-01-02T10:00:00Z",
                "finished_at": "2026-01-02T10:00:12.500Z",
            },
            {
                "name": "train",
                "state": "running",
                "started_at": "2026-01-02T10:00:13Z",
                "finished_at": None,
            },
        ],
        "model_id": "model_01" if state == "succeeded" else None,
        "error": error,
    }


def read_report(**given: Any) -> Report:
    return Report.model_validate(report(**given))


def read_job(**given: Any) -> Job:
    return Job.model_validate(job(**given))
