"""Real MCP clients in front of Toolgate, real MCP servers behind it, and no language model anywhere."""
