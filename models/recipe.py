"""The recipe: everything that can change a verdict, frozen, in one file that travels in the bundle.

How a model is trained stands in `models.training_recipe`; both are plain data and import no torch.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

from models.domain.capture import CaptureKind
from models.domain.tiling import Tiling
from models.training_recipe import TrainingRecipe
from models.yaml_file import checked, read_yaml

ViewName = Literal["identity", "rot90", "rot180", "rot270", "flip", "flip_rot90", "flip_rot180", "flip_rot270"]
"""The symmetries of the square: `flip` mirrors left and right, rotations turn counter-clockwise afterwards."""

ScoreName = Literal[
    "max_probability",
    "energy",
    "max_logit",
    "mahalanobis",
    "relative_mahalanobis",
    "gaussian_mixture",
    "neighbours",
    "vim",
    "traits",
]
"""Novelty scores; `models.open_set` says what each is and where it comes from."""

NetworkName = Literal[
    "small",
    "residual",
    "lenet5",
    "alexnet",
    "vgg11_bn",
    "vgg16_bn",
    "resnet18",
    "resnet34",
    "resnet50",
    "densenet121",
    "squeezenet1_1",
    "mobilenet_v3_small",
    "mobilenet_v3_large",
    "inception_v3",
    "efficientnet_b0",
    "efficientnet_v2_s",
    "convnext_tiny",
]


class Part(BaseModel):
    """A frozen section of a recipe; a misspelt or unknown key is an error, never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class TilingRecipe(Part):
    """How captures are cut; see `models.domain.tiling.Tiling`."""

    tile: PositiveInt = 64
    overlap: Annotated[int, Field(ge=0)] = 0
    levels: tuple[int, ...] = (0,)
    dense: PositiveInt | None = None


class CountRecipe(Part):
    """Objects instead of windows: peaks of what is seen on a densely read level (`models.counting`).

    Attributes:
        presence: least probability that something is there.
        radius: pixels within which two peaks are one object.
        strangers: unknown places of a capture that people are asked about at most.
    """

    presence: Annotated[float, Field(gt=0, lt=1)] = 0.5
    radius: PositiveInt = 32
    strangers: Annotated[int, Field(ge=0)] = 12


class PreprocessingRecipe(Part):
    """Pixels to numbers: (value / 255 - mean) / std per channel.

    Attributes:
        mean: one per channel, or a single one for all.
        std: likewise, positive.
        radius: append a channel with the distance from the patch's centre (0 there, 1 at the middle of its edges), for
            whole wafers, where ring, edge and centre are the names of patterns. Turning and mirroring leave it alone.
        share: append the defect density (channel 0 of a wafer) on a linear scale as well. The log scale shows single
            failed dies and thin lines; the linear one tells a third of all dies from two thirds.
    """

    mean: tuple[float, ...] = (0.0,)
    std: tuple[Annotated[float, Field(gt=0)], ...] = (1.0,)
    radius: bool = False
    share: bool = False


class NetworkRecipe(Part):
    """Which network, and how large.

    Attributes:
        name: `small` and `residual` are our own; the others are LeNet-5 and torchvision's. `residual` judges whole
            wafers; it pads, so it cannot read large pictures densely.
        widths: channels of each block of our own; between blocks the map is halved.
        convolutions: 3 × 3 convolutions in each block of `small`; a residual block always has two.
        stem: of `small`; `halved` begins with one 4 × 4 convolution with stride 2 instead of the first block: a quarter
            of the places to compute, for images whose objects are many pixels long.
        relief: of `small`; side of the square of pixels, odd, against whose mean and spread each pixel is set before
            anything else: a new ground, light or camera then looks like those it learned on. Half of it is lost at
            each edge of the tile. None = pixels as they are.
        normalisation: of our own; `group` does not depend on the batch, `batch` is needed for dense inference.
        padding: of `small`; `none` makes patch-wise and dense inference equal, `same` keeps small tiles usable.
        pooling: of our own; how the last map becomes one vector. With `none` the embedding sees where on the map a
            feature lies: a window then answers for what is in its middle, which counting needs.
        embedding: length of the embedding of our own; 0 takes the pooled features as they are.
        dropout: share of the embedding hidden while training.
        weights: torchvision weights to start from (`DEFAULT`), or none.
    """

    name: NetworkName = "small"
    widths: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (24, 48, 96, 192)
    convolutions: PositiveInt = 2
    stem: Literal["full", "halved"] = "full"
    relief: Annotated[int, Field(ge=3)] | None = None
    normalisation: Literal["batch", "group"] = "batch"
    padding: Literal["same", "none"] = "same"
    pooling: Literal["mean", "mean+max", "none"] = "mean"
    embedding: Annotated[int, Field(ge=0)] = 128
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    weights: Literal["DEFAULT"] | None = None


class OpenSetRecipe(Part):
    """How strangeness is measured and how much of the known may be sent to a person.

    Attributes:
        scores: one score, or several whose conformal p-values are combined (Fisher).
        budget: promised share of known windows that are refused a label as novel.
        per_class: a threshold for each predicted class (Mondrian) where there are enough calibration windows.
        neighbours: k of the k-NN score and of the reference examples shown.
        components: of the Gaussian mixture.
        latent: dimensions kept for the Gaussian mixture (PCA) and ViM's principal space.
        reference_per_class: reference embeddings kept of each class at most.
        drawn: strangers drawn for the score of traits, and as many known wafers beside them.
    """

    scores: Annotated[tuple[ScoreName, ...], Field(min_length=1)] = (
        "neighbours",
        "gaussian_mixture",
        "relative_mahalanobis",
    )
    budget: Annotated[float, Field(gt=0, lt=1)] = 0.02
    per_class: bool = False
    neighbours: PositiveInt = 10
    components: PositiveInt = 16
    latent: PositiveInt = 32
    reference_per_class: PositiveInt = 1000
    drawn: PositiveInt = 8000


class Recipe(Part):
    """Everything that can change a verdict.

    Attributes:
        name: of the model in the registry.
        kind: captures it is for.
        channels: of a patch.
        precision: numbers the network computes with; calibrated with the same, so that thresholds fit. bfloat16 pays on
            GPUs and on CPUs that have it (AVX512-BF16, AMX), float16 on older GPUs; elsewhere they are emulated.
        views: test-time views; the first is always taken.
        merge: how the beliefs of the views become one.
        adaptive_views: take one view first and more only where it is unsure (cut-off in the bundle).
        count: count objects on densely read levels; None = every window is stated.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
    kind: CaptureKind = CaptureKind.WAFER
    tiling: TilingRecipe = TilingRecipe()
    channels: PositiveInt = 2
    preprocessing: PreprocessingRecipe = PreprocessingRecipe()
    network: NetworkRecipe = NetworkRecipe()
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    views: Annotated[tuple[ViewName, ...], Field(min_length=1)] = ("identity",)
    merge: Literal["posteriors", "logits", "votes"] = "posteriors"
    adaptive_views: bool = False
    count: CountRecipe | None = None
    open_set: OpenSetRecipe = OpenSetRecipe()
    training: TrainingRecipe = TrainingRecipe()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for name, values in (("mean", self.preprocessing.mean), ("std", self.preprocessing.std)):
            if len(values) not in (1, self.channels):
                raise ValueError(f"preprocessing.{name} has {len(values)} values for {self.channels} channels")
        if self.preprocessing.share and self.kind is not CaptureKind.WAFER:
            raise ValueError("preprocessing.share needs the density channel that only wafers have")
        if len(set(self.views)) != len(self.views):
            raise ValueError("views repeat each other")
        if len(set(self.open_set.scores)) != len(self.open_set.scores):
            raise ValueError("open_set.scores repeat each other")
        if "traits" in self.open_set.scores and (self.kind is not CaptureKind.WAFER or self.tiling.levels != (0,)):
            raise ValueError("open_set.scores: traits are of whole wafers, level 0 alone")
        if self.tiling.overlap >= self.tiling.tile or not self.tiling.levels:
            raise ValueError("tiling needs 0 <= overlap < tile and at least one level")
        if self.network.relief is not None and (self.network.name != "small" or self.network.relief % 2 == 0):
            raise ValueError("network.relief is an odd number of pixels, and of network small alone")
        if self.count is not None and self.tiling.dense is None:
            raise ValueError("count needs tiling.dense: objects are peaks of a dense map")
        return self

    @property
    def domain_tiling(self) -> Tiling:
        """The tiling in the words of the domain."""
        return Tiling(
            tile=self.tiling.tile, overlap=self.tiling.overlap, levels=self.tiling.levels, dense=self.tiling.dense
        )

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a recipe from YAML.

        Raises:
            ConfigurationError: no such file, not YAML, or not a recipe; says which key.
        """
        path = Path(path)
        return cls.parse(read_yaml(path, "recipe"), where=str(path))

    @classmethod
    def parse(cls, content: Any, where: str) -> Self:
        """Check plain data (from YAML or JSON) and make a recipe of it.

        Raises:
            ConfigurationError: names the first wrong key and counts the others.
        """
        return checked(
            cls,
            content,
            what="recipe",
            where=where,
            remedy="correct the recipe; pipelines/recipes holds working ones",
        )
