"""Figures one can believe: metrics, evaluation through the same `decide` as serving, reports and cards."""

from pipelines.evaluation.evaluate import evaluate
from pipelines.evaluation.report import Report

__all__ = ["Report", "evaluate"]
