"""The demonstration: a model from simulated wafers, the whole service on this machine, wafers through the folder."""

from services.demo.run import run_demo

__all__ = ["run_demo"]
