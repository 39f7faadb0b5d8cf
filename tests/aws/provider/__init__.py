"""A provider of `aws` resources for tests alone: the engine's calls become boto3's, answered by moto."""
