"""The benchmark anyone can repeat: what one governed call costs, beside nginx and beside other gateways."""
