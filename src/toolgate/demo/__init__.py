"""The demo: a bank, a CRM, an agent and the gateway between them, told in one terminal."""

from toolgate.demo.show import tell

__all__ = ["tell"]
