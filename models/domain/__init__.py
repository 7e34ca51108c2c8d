"""The words of the trade as frozen types; needs numpy and the standard library alone.

See the glossary in ARCHITECTURE.md: capture, window, patch, prediction, verdict, inspection, alert.
"""
