import socket
from dataclasses import replace

import pytest

from quotad.stack.errors import StackError
from quotad.stack.ports import assign_ports, free_listen, require_free


def test_the_default_ports_are_the_documented_ones() -> None:
    ports = assign_ports(None, 2)
    assert [listen.port for listen in ports] == [50051, 9464, 8070, 8090, 8080, 8081]


def test_a_port_base_moves_every_port() -> None:
    assert [listen.port for listen in assign_ports(9000, 3)] == [9000, 9001, 9002, 9003, 9004, 9005, 9006]


@pytest.mark.parametrize(("base", "proxies"), [(65_530, 4), (None, 11)])
def test_ports_that_do_not_exist_or_meet_are_refused(base: int | None, proxies: int) -> None:
    with pytest.raises(StackError, match="--port-base"):
        assign_ports(base, proxies)


def test_a_port_in_use_is_named_with_its_holder_and_a_way_out() -> None:
    ports = assign_ports(free_listen().port, 1)
    with socket.create_server((ports.quotad.host, 0)) as other:
        taken = replace(ports, dashboard=replace(ports.dashboard, port=other.getsockname()[1]))
        with pytest.raises(StackError, match=rf"port {taken.dashboard.port} .*\(process \d+\).*--port-base"):
            require_free(taken)
