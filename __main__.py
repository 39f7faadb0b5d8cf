"""The Pulumi program: an environment as `pulumi config` describes it."""

from understudy.program import main

main()
