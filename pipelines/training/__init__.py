"""From a dataset and a recipe to a bundle: sampling, augmentation, the loop, calibration, tracking."""

from pipelines.training.train import Trained, train

__all__ = ["Trained", "train"]
