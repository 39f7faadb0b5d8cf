"""Where clones run. Only this package lists and removes by label."""
