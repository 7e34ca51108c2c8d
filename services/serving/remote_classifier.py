"""The classifier as the inspection flow sees it: a handle to the replicas, with Ray's failures put into our words."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from ray.exceptions import RayActorError, RayTaskError
from ray.serve.exceptions import BackPressureError, RayServeException
from ray.serve.handle import DeploymentHandle

from models.domain.errors import RetryableError, WaferwatchError
from models.domain.verdict import Predictions
from models.manifest import BundleManifest


class RemoteClassifier:
    """A `PatchClassifier` whose model lives in other processes."""

    def __init__(self, handle: DeploymentHandle[Any], manifest: BundleManifest, timeout_s: float) -> None:
        """Speak for one bundle; a call that takes longer than `timeout_s` is given up and tried again later."""
        self._handle = handle
        self._timeout_s = timeout_s
        self.manifest = manifest

    def classify(self, pixels: NDArray[np.uint8]) -> Predictions:
        """Predict uint8 (N, H, W, C) patches.

        Raises:
            RetryableError: no replica answered in time, one died with the call, or all are overloaded.
            WaferwatchError: whatever the classifier itself raised.
        """
        return self._ask(self._handle.classify, pixels)

    def classify_block(self, pixels: NDArray[np.uint8]) -> Predictions:
        """Predict all windows of a block, uint8 (H, W, C).

        Raises:
            RetryableError: likewise.
            WaferwatchError: likewise.
        """
        return self._ask(self._handle.classify_block, pixels)

    def _ask(self, method: Any, pixels: NDArray[np.uint8]) -> Predictions:
        try:
            answer: Predictions = method.remote(self.manifest.ref.digest, pixels).result(timeout_s=self._timeout_s)
        except RayTaskError as error:
            if isinstance(error.cause, WaferwatchError):
                raise error.cause from error
            raise
        except BackPressureError as error:
            raise _unavailable("classifier is overloaded", error, "overloaded") from error
        except (RayActorError, RayServeException, TimeoutError) as error:
            raise _unavailable("classifier did not answer", error, "classifier-unavailable") from error
        return answer


def _unavailable(what: str, error: Exception, code: str) -> RetryableError:
    return RetryableError(
        what, got=f"{type(error).__name__}: {error}"[:200], remedy="the job is tried again", code=code
    )
