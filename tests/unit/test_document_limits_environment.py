"""One environment file that many services name is not read into more values than a document may have."""

from __future__ import annotations

import pytest

from understudy.stacks.sources.document import load
from understudy.stacks.topology import TopologyError


@pytest.mark.parametrize("key", ["env_file", "label_file"])
def test_a_file_that_many_services_name_is_no_bomb(key: str) -> None:
    services = "".join(f"  s{number}: {{image: x, {key}: [e]}}\n" for number in range(2000))
    files = {
        "compose.yaml": f"services:\n{services}".encode(),
        "e": b"".join(b"K%d=v\n" % number for number in range(30_000)),
    }
    with pytest.raises(TopologyError, match=r"compose\.yaml:5:\d+: services\.s3: .*more than 100000 variables"):
        load(("compose.yaml",), read_file=files.get, variables={}, project="p")
