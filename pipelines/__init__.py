"""How a model is made: ingestion, dataset, simulation, training, evaluation, release."""
