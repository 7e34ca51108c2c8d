"""How a model is used: intake, inspection, serving, records, alerts, API, dashboard, command line."""
