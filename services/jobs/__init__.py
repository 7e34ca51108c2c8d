"""The durable queue: jobs are rows; a worker leases one, shows its fence with every write, and settles it once."""

from services.jobs.lease import Lease, LeasePolicy, LostLease, claim, extend, hold, is_due, queue_depth, release
from services.jobs.quotas import OverQuota, admit, room_left
from services.jobs.settling import bury_silent, complete, fail, postpone, quarantine
from services.jobs.submitting import cancel, enqueue, hurry, retry

__all__ = [
    "Lease",
    "LeasePolicy",
    "LostLease",
    "OverQuota",
    "admit",
    "bury_silent",
    "cancel",
    "claim",
    "complete",
    "enqueue",
    "extend",
    "fail",
    "hold",
    "hurry",
    "is_due",
    "postpone",
    "quarantine",
    "queue_depth",
    "release",
    "retry",
    "room_left",
]
