"""How an environment is built: Pulumi component resources, one kind a file."""
