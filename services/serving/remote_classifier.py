"""The classifier as the inspection flow sees it: a handle to the replicas, with Ray's failures put into our words."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from ray.exceptions import RayActorError, RayTaskError
from ray.serve.exceptions import BackPressureError, RayServeException
from ray.serve.handle import DeploymentHandle

from models.domain.errors import RetryableError, WaferwatchError
from models.domain.scenes import Patches
from models.domain.verdict import Predictions
from models.manifest import BundleManifest


class RemoteClassifier:
    """A `PatchClassifier` whose model lives in other processes."""

    def __init__(
        self, handle: DeploymentHandle[Any], manifest: BundleManifest, timeout_s: float, *, is_shadow: bool = False
    ) -> None:
        """Speak for one bundle.

        Args:
            handle: of the classifier deployment.
            manifest: of the bundle.
            timeout_s: a call that takes longer is given up here, dropped there, and tried again later.
            is_shadow: everybody else goes first.
        """
        self._handle = handle
        self._timeout_s = timeout_s
        self._is_shadow = is_shadow
        self.manifest = manifest

    def classify(self, patches: Patches) -> Predictions:
        """Predict patches.

        Raises:
            RetryableError: no replica answered in time, one died with the call, or all are overloaded.
            WaferwatchError: whatever the classifier itself raised.
        """
        return self._ask(
            self._handle.classify.remote(self.manifest.ref.digest, patches, self._timeout_s, is_shadow=self._is_shadow)
        )

    def classify_block(self, pixels: NDArray[np.uint8]) -> Predictions:
        """Predict all windows of a block, uint8 (H, W, C).

        Raises:
            RetryableError: likewise.
            WaferwatchError: likewise.
        """
        return self._ask(self._handle.classify_block.remote(self.manifest.ref.digest, pixels))

    def _ask(self, call: Any) -> Predictions:
        try:
            answer: Predictions = call.result(timeout_s=self._timeout_s)
        except RayTaskError as error:
            if isinstance(error.cause, WaferwatchError):
                raise error.cause from error
            raise
        except BackPressureError as error:
            raise _unavailable("classifier is overloaded", error, "overloaded") from error
        except TimeoutError as error:
            # or a stopped replica would work through what nobody waits for when it goes on
            call.cancel()
            raise _unavailable("classifier did not answer", error, "classifier-unavailable") from error
        except (RayActorError, RayServeException) as error:
            raise _unavailable("classifier did not answer", error, "classifier-unavailable") from error
        return answer


def _unavailable(what: str, error: Exception, code: str) -> RetryableError:
    return RetryableError(
        what, got=f"{type(error).__name__}: {error}"[:200], remedy="the job is tried again", code=code
    )
