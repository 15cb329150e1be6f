"""The one place where the parts are put together, one module a command."""
