"""What an environment is: plain data and pure functions, with no Pulumi, Docker or cloud in them."""
