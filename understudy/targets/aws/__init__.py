"""AWS as a target: one account and region, found by tags; imported only where a clone runs there."""
