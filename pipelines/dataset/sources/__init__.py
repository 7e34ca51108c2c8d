"""Importers: each reads one kind of labelled data and yields samples; nothing here splits or writes."""
