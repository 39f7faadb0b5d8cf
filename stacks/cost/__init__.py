"""What an environment on AWS costs by the hour: declared resources and a dated table of prices make an estimate."""
