"""What an environment on AWS is: plain data, worked out before anything is declared."""
