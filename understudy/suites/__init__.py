"""The test stage: suites side by side against an environment's endpoints, stopped at the first failure."""
