"""A small environment for the commands: one service, a queue and a bucket, on a platform that is named by its ids."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .conftest import ACCOUNT, REGION
from .world import Account

__all__ = ["SMALL", "platform", "table"]

SMALL = """\
services:
  web:
    image: registry.example/web:1
    ports: ["8080:80"]
    environment: {JOBS_QUEUE: jobs, API_TOKEN: "${API_TOKEN:-dev}"}
  jobs:
    image: registry.example/queue:1
    x-understudy: {kind: queue, managed: {service: sqs, name: jobs}}
  files:
    image: registry.example/store:1
    x-understudy:
      kind: bucket
      managed:
        service: s3
        name: files
        options: {notify: '[{"queue": "jobs", "events": ["s3:ObjectCreated:*"], "prefix": "in/"}]'}
x-understudy:
  secrets: [API_TOKEN]
  tests:
    quick: {command: ["true"]}
"""


def platform() -> str:
    """The table of `understudy.toml` that names one, made by boto3 where the usual variables lead."""
    made = Account()
    given = {
        "account": ACCOUNT,
        "region": REGION,
        "vpc_id": made.vpc,
        "subnet_ids": made.subnets,
        "cluster_arn": made.cluster,
        "listener_arn": made.listener,
        "alb_arn": made.listener.replace(":listener/", ":loadbalancer/").rpartition("/")[0],
        "alb_dns_name": "platform.example",
        "alb_security_group_id": made.shared_group,
        "execution_role_arn": f"arn:aws:iam::{ACCOUNT}:role/previews-execution",
        "bucket": "previews-state",
        "host_suffix": "preview.internal",
    }
    return table(given)


def table(given: Mapping[str, Any]) -> str:
    """The table [platform] of `understudy.toml` with these ids."""
    return "[platform]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in given.items())
