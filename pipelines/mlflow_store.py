"""How we talk to MLflow: one quiet client, no pickle, no usage reports, files beside the database."""

import logging
import os
from pathlib import Path
from typing import Any

from models.domain.errors import RetryableError

_SQLITE = "sqlite:///"


def mlflow_client(tracking_uri: str) -> Any:
    """An MLflow client for runs and registry; `Any` because MLflow carries no types we can check.

    The client is used directly instead of MLflow's global functions: no run or address is shared between threads.

    Args:
        tracking_uri: `sqlite:///…`, `http://…` or whatever else MLflow takes.

    Raises:
        RetryableError: the store does not answer.
    """
    os.environ.setdefault("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("DO_NOT_TRACK", "true")
    # A few tries within seconds instead of MLflow's seven over minutes: somebody waits.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    # Imported here: it takes seconds, and most of what imports this module never asks MLflow anything.
    from mlflow import MlflowClient  # noqa: PLC0415
    from mlflow.exceptions import MlflowException  # noqa: PLC0415
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

    for noisy in ("alembic", "mlflow"):  # a line for each of their forty migrations
        logging.getLogger(noisy).setLevel(logging.WARNING)
    if tracking_uri.startswith(_SQLITE):
        database_folder(tracking_uri).mkdir(parents=True, exist_ok=True)
    try:
        client = MlflowClient(tracking_uri, registry_uri=tracking_uri)
        client.search_experiments(max_results=1)
    except (MlflowException, SQLAlchemyError, OSError) as error:
        raise unavailable(tracking_uri, error) from error
    return client


def unavailable(tracking_uri: str, error: Exception) -> RetryableError:
    """The error of a store that does not answer, in one line."""
    first = (str(error).splitlines() or [type(error).__name__])[0]
    return RetryableError(
        "MLflow does not answer", where=tracking_uri, got=first[:200], remedy="start it and try again"
    )


def experiment_id(client: Any, tracking_uri: str, name: str) -> str:
    """The experiment, made if it is new; with SQLite its files lie beside the database, wherever one starts."""
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    location = None
    if tracking_uri.startswith(_SQLITE):
        location = (database_folder(tracking_uri) / "mlartifacts").as_uri()
    return str(client.create_experiment(name, artifact_location=location))


def database_folder(tracking_uri: str) -> Path:
    """Where a SQLite store's database lies."""
    return Path(tracking_uri.removeprefix(_SQLITE)).resolve().parent
