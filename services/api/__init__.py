"""The HTTP interface for machines: captures in, inspections and alerts out, under /api/v1. Runs in its own uvicorn."""
