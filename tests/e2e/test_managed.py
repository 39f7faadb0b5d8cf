"""A production whose database, queue and bucket a cloud runs: its clone runs them, and configuration stays as it is."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from textwrap import indent

import pytest
from support import Project

from understudy.stacks.managed import MOTO

pytestmark = [pytest.mark.docker, pytest.mark.pulumi, pytest.mark.images]

WORK = """\
import json, os, boto3
s3, sqs = boto3.client("s3"), boto3.client("sqs")
s3.put_object(Bucket="acme-invoices", Key="1", Body=b"paid")
sqs.send_message(QueueUrl=os.environ["QUEUE_URL"], MessageBody="hello", MessageGroupId="g", MessageDeduplicationId="1")
got = sqs.receive_message(QueueUrl=os.environ["QUEUE_URL"])["Messages"][0]["Body"]
states = s3.get_bucket_versioning(Bucket="acme-invoices")["Status"]
asked = sqs.get_queue_attributes(QueueUrl=os.environ["QUEUE_URL"], AttributeNames=["All"])["Attributes"]
policy = json.loads(asked["RedrivePolicy"])
print("result:", s3.get_object(Bucket="acme-invoices", Key="1")["Body"].read().decode(), got, states,
      asked["VisibilityTimeout"], policy["maxReceiveCount"], policy["deadLetterTargetArn"].rpartition(":")[2])
"""

COMPOSE = """\
services:
  db:
    image: postgres:15
    expose: ["5432"]
    networks: {default: {aliases: [orders.abc.eu-west-1.rds.amazonaws.com]}}
    x-understudy:
      managed:
        {service: rds, name: orders, engine: postgres, version: "15", database: shop, user: app, password: DB_PASSWORD}
  jobs:
    image: MOTO
    expose: ["5000"]
    x-understudy:
      managed:
        service: sqs
        name: jobs.fifo
        options:
          fifo: "true"
          visibility_timeout: "45"
          dead_letter: dead.fifo
          max_receive: "3"
          arn: "arn:aws:sqs:eu-west-1:111122223333:jobs.fifo"
  dead:
    image: MOTO
    x-understudy:
      managed:
        service: sqs
        name: dead.fifo
        options: {fifo: "true", arn: "arn:aws:sqs:eu-west-1:111122223333:dead.fifo"}
  invoices:
    image: MOTO
    x-understudy: {managed: {service: s3, name: acme-invoices, options: {versioning: "true"}}}
  reader:
    image: postgres:15
    command:
      - psql
      - --tuples-only
      - "--command=select 'result: ' || current_user || '@' || current_database()"
    environment:
      PGHOST: orders.abc.eu-west-1.rds.amazonaws.com
      PGUSER: app
      PGDATABASE: shop
      PGPASSWORD: ${DB_PASSWORD:-of-production}
    depends_on: [db]
    restart: on-failure
    x-understudy: {kind: job}
  worker:
    image: MOTO
    entrypoint: [python, -c]
    command:
      - |
        WORK
    environment:
      QUEUE_URL: https://sqs.eu-west-1.amazonaws.com/111122223333/jobs.fifo
      BUCKET: acme-invoices
    x-understudy: {kind: job}
x-understudy:
  secrets: [DB_PASSWORD]
""".replace("MOTO", MOTO).replace("        WORK\n", indent(WORK, "        "))


@pytest.fixture(autouse=True)
def _moto() -> None:
    asked = subprocess.run(["docker", "image", "inspect", MOTO], capture_output=True, check=False)
    if asked.returncode:
        pytest.skip(f"the image of moto is missing: `docker pull {MOTO}`")


def test_its_clone_runs_them_under_their_names(small: Callable[[str], Project]) -> None:
    project = small(COMPOSE)
    done = project.understudy("up")
    try:
        assert done.code == 0, done.text
        (lease,) = project.listed()
        environment = str(lease["id"])
        read = project.understudy("logs", environment, "reader")
        assert "result: app@shop" in read.out, read.text
        worked = project.understudy("logs", environment, "worker")
        assert "result: paid hello Enabled 45 3 dead.fifo" in worked.out, worked.text
    finally:
        for lease in project.listed():
            assert project.understudy("down", str(lease["id"])).code == 0
