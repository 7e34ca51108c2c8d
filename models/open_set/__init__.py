"""Novelty scores: how little a window resembles what the network was trained on. Higher is stranger.

    of_logits          maximum probability, energy, maximum logit        (need no fitting)
    gaussians          Mahalanobis, relative Mahalanobis, Gaussian mixture on a PCA of the latent space
    neighbours         distance to the k-th nearest training embedding
    virtual_logit      ViM
    drawn_strangers    logistic regression on traits (`models.traits`), known windows against strangers drawn at random
    fusion             several scores as conformal p-values, combined by Fisher

Scores of logits can be worse than chance: strangers are often given to a known class with confidence. Scores of
learned features are better; for whole wafers the score of traits, which learns nothing of classes, is best. Each fitted
score is a frozen set of arrays that lies in the bundle's reference; fitting may use scikit-learn, scoring uses torch
alone, on the device of the embeddings.
"""

from models.open_set.drawn_strangers import DrawnStrangers
from models.open_set.fitting import fit, some_of_each
from models.open_set.fusion import Fusion
from models.open_set.gaussians import GaussianMixture, Mahalanobis
from models.open_set.known import Contrast, Head, Known
from models.open_set.neighbours import Neighbours
from models.open_set.of_logits import OfLogits
from models.open_set.restoring import arrays_of, restore
from models.open_set.score import NoveltyScore, Seen
from models.open_set.virtual_logit import VirtualLogit

__all__ = [
    "Contrast",
    "DrawnStrangers",
    "Fusion",
    "GaussianMixture",
    "Head",
    "Known",
    "Mahalanobis",
    "Neighbours",
    "NoveltyScore",
    "OfLogits",
    "Seen",
    "VirtualLogit",
    "arrays_of",
    "fit",
    "restore",
    "some_of_each",
]
