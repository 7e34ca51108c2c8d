"""What a worker does: lease a job, cut its captures, ask the classifier, decide, record."""

from services.inspection.inspecting import inspect
from services.inspection.judging import PatchClassifier
from services.inspection.outage import Classifiers
from services.inspection.worker import Worked, work, work_once
from services.inspection.workplace import Observer, Workplace

__all__ = ["Classifiers", "Observer", "PatchClassifier", "Worked", "Workplace", "inspect", "work", "work_once"]
