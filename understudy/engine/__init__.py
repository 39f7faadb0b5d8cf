"""The engine: a typed interface over the Pulumi engine, the real one and a fake that can be told to fail."""
