"""Recipes that work, each number with its reason: `wafer.yaml`, `demo.yaml`, `mixed.yaml`, `aerial.yaml`."""
