"""The processes of a service, each a function that runs until SIGTERM: api, watch, housekeep, serve.

This is the one place where real parts are plugged together; everything below takes what it needs as arguments.
"""
