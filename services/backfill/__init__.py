"""Bulk work: judge an archive of files with one bundle, beside the service, and write what was found as Parquet."""

from services.backfill.plan import Plan, make_plan
from services.backfill.running import backfill

__all__ = ["Plan", "backfill", "make_plan"]
