"""Toolgate, an MCP gateway. Start reading in `pipeline.py`."""

__version__ = "0.1.0"
