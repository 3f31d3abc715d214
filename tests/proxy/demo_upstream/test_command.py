"""The demo upstream as a process."""

from __future__ import annotations

import re
import signal
import subprocess
import urllib.request
from pathlib import Path

from servicekit.listening import Listen, bind
from tests.support.processes import command, running


def test_the_command_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    argv = [command("quota-proxy"), "demo-upstream", "--listen", "127.0.0.1:0"]
    with running(argv, tmp_path / "output") as process:
        said = process.wait_for_output("demo upstream ready")
        url = re.search(r"http://127\.0\.0\.1:\d+", said)
        assert url is not None
        with urllib.request.urlopen(f"{url[0]}/demo/book", timeout=5) as response:
            assert response.headers["x-quota-demo"] == "true"
        process.signal(signal.SIGTERM)
        assert process.wait() == 0


def test_a_port_in_use_is_one_line_that_names_it(tmp_path: Path) -> None:
    holder = bind(Listen("127.0.0.1", 0), setting="test")
    holder.listen()
    port = holder.getsockname()[1]
    done = subprocess.run(
        [command("quota-proxy"), "demo-upstream", "--listen", f"127.0.0.1:{port}"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        cwd=tmp_path,
    )
    holder.close()
    assert done.returncode != 0
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr
    assert len(done.stderr.splitlines()) == 1
