"""What a run leaves in a CI system: annotations, outputs and a summary in its job, a comment on its pull request."""
