"""What differs: two sides compared, what Pulumi would do, and what drifted, as one record with several renderers."""
