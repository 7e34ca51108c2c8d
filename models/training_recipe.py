"""The part of the recipe that says how the network is trained; plain data, no torch.

It cannot change what a finished bundle says, but it travels with it, so that every bundle tells how it was made.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

Share = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """A frozen section; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class AugmentationRecipe(Section):
    """Changes that keep the label.

    Attributes:
        symmetries: turn by quarters and mirror freely; set False where every pattern has a direction (notch, shadow).
        directed: classes that keep their direction although the others are turned and mirrored.
        rotation: turn by any angle (whole wafers: around their centre).
        interpolate: mix the four nearest pixels where a turned pixel falls between them. Right for die maps, whose
            pixels are shares of area, and for images; points are moved before they are drawn, whatever is set here.
        shift: largest displacement of the whole picture, as a share of its side.
        jitter: standard deviation of each defect's displacement, as a share of the wafer's diameter.
        thin: largest share of the defects taken away.
        thicken: largest share of the defects that get another one beside them (of die maps: of the pixels beside
            failures that fail as well).
        noise: largest share of background defects added.
        regrid: chance that a die map is redrawn on a coarser grid, as another product would show it.
        hide: chance that a part is treated as not inspected.
        mix: chance that a pattern is laid on the background of another wafer; of images with one label each, that the
            middle of a patch is laid on another background.
        photometry: strength of changes of brightness, contrast and blur (images).
    """

    symmetries: bool = True
    directed: tuple[str, ...] = ()
    rotation: bool = False
    interpolate: bool = False
    shift: Share = 0.0
    jitter: Share = 0.0
    thin: Share = 0.0
    thicken: Share = 0.0
    noise: Share = 0.0
    regrid: Share = 0.0
    hide: Share = 0.0
    mix: Share = 0.0
    photometry: Share = 0.0


class TransferRecipe(Section):
    """How a network that starts from ready weights learns (`pipelines.training.layer_groups`).

    Attributes:
        head_epochs: first epochs in which the head alone learns; it is new, and its errors would spoil the rest.
        unfreeze_every: epochs after which one more group of layers joins, from the head down; 0 = all at once.
        rate_ratio: each group of layers learns this many times slower than the one behind it.
        frozen_statistics: batch normalisation keeps the statistics it came with: for small batches or little data.
    """

    head_epochs: NonNegativeInt = 1
    unfreeze_every: NonNegativeInt = 0
    rate_ratio: Annotated[float, Field(ge=1, le=10)] = 3.0
    frozen_statistics: bool = False


class TrainingRecipe(Section):
    """How the weights are found.

    Attributes:
        epochs: passes of `samples_per_epoch` samples.
        samples_per_epoch: drawn by the sampler; None = as many as there are.
        batch: samples per step.
        sampler: how often each class is drawn: as it occurs, by the root of its count, all alike, or moving from the
            first to the last over the epochs.
        lot_power: lots of a class are drawn by (their wafers)^lot_power: 1 as they occur, 0 all lots alike.
        rebalance_epochs: further epochs that train the head alone on balanced classes (two-stage training).
        loss: what is minimised; the last three weigh rare classes up.
        loss_strength: focal's gamma, logit adjustment's tau, or class-balanced's beta.
        label_smoothing: share of the target spread over all classes.
        optimiser: AdamW, or SGD with Nesterov momentum 0.9.
        lr: largest learning rate.
        weight_decay: decoupled for AdamW.
        schedule: of the learning rate after `warmup_share` of the steps.
        warmup_share: steps with a rising learning rate, as a share of all.
        clip: largest gradient norm; None = no limit.
        ema: decay of the moving average of the weights that is released; None = the last weights.
        choose: whose epoch's weights are kept, by the validation lots: the highest macro-F1, or the lowest loss, which
            is calmer where a class has a handful of them.
        patience: epochs without a better validation figure before training ends; None = never early.
        precision: `auto` takes bfloat16 where the device computes with it.
        augmentation: changes that keep the label.
        transfer: how ready weights are taken further; None = all layers learn from the start, at one rate.
        strangers: patches that belong to no class, made of known ones, per patch of a batch; exclusive labels only.
        seed: of everything random.
    """

    epochs: PositiveInt = 8
    samples_per_epoch: PositiveInt | None = None
    batch: PositiveInt = 128
    sampler: Literal["natural", "square-root", "class-balanced", "progressive"] = "square-root"
    lot_power: Share = 1.0
    rebalance_epochs: NonNegativeInt = 0
    loss: Literal["cross-entropy", "focal", "balanced-softmax", "logit-adjustment", "class-balanced"] = "cross-entropy"
    loss_strength: NonNegativeFloat = 1.0
    label_smoothing: Share = 0.0
    optimiser: Literal["adamw", "sgd"] = "adamw"
    lr: PositiveFloat = 2e-3
    weight_decay: NonNegativeFloat = 1e-2
    schedule: Literal["one-cycle", "cosine", "plateau", "constant"] = "one-cycle"
    warmup_share: Share = 0.1
    clip: PositiveFloat | None = 5.0
    ema: Annotated[float, Field(gt=0, lt=1)] | None = None
    choose: Literal["macro-f1", "loss"] = "macro-f1"
    patience: PositiveInt | None = None
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    augmentation: AugmentationRecipe = AugmentationRecipe()
    transfer: TransferRecipe | None = None
    strangers: Share = 0.0
    seed: NonNegativeInt = 0
