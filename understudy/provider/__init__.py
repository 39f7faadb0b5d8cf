"""The embedded Docker provider: the `docker` resources, served in process over docker-py."""
