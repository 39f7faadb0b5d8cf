"""How an environment on AWS is built: components over pulumi_aws, one kind a file, imported only where needed."""
