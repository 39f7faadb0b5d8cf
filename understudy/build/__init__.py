"""Images are built before the stack, from the commit's own tree."""
