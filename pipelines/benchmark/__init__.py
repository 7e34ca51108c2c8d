"""Public protocols, so that a figure can be compared and repeated: rounds, contestants, their contest."""

from pipelines.benchmark.contest import Contest, Contestant, Role, Standing, contest
from pipelines.benchmark.folds import Fold, write_fold
from pipelines.benchmark.rounds import Rounds, dataset_at, held_out_fifth, k_fold, published
from pipelines.benchmark.trained import Trained

__all__ = [
    "Contest",
    "Contestant",
    "Fold",
    "Role",
    "Rounds",
    "Standing",
    "Trained",
    "contest",
    "dataset_at",
    "held_out_fifth",
    "k_fold",
    "published",
    "write_fold",
]
