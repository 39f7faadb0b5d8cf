"""What the embedded Docker provider is asked for: the engine's names of its kinds, and a command that goes on."""

from __future__ import annotations

NETWORK = "docker:index/network:Network"
VOLUME = "docker:index/volume:Volume"
CONTAINER = "docker:index/container:Container"
IMAGE = "docker:index/remoteImage:RemoteImage"
SLEEP = ["sleep", "300"]
