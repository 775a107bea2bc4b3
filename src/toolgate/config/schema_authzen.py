"""The keys of `authzen:`. Knows who may ask for decisions, not how they are asked for."""

from toolgate.config.address import PublicUrl
from toolgate.config.section import Section
from toolgate.config.values import Text


class Authzen(Section):
    """Decisions for other gateways, over the AuthZEN Authorization API 1.0 on `admin`."""

    role: Text
    """The role that whoever asks must have, as `identity:` knows it. They are believed what they say of a subject."""
    public_url: PublicUrl | None = None
    """How they see `admin`; left out, `http://` and its address."""
