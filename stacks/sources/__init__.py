"""Where a topology is read from. Sources only read."""
