"""File formats, one module or package each; what they have in common is in `pipelines.ingestion`."""
