"""Commands over SSH are sent at once, and bastions still work."""

import socket

from paramiko import Transport

from roles.fast_ssh import low_latency_transport


def test_a_tcp_connection_sends_small_packets_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        connection = socket.create_connection(server.getsockname())
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 0
        transport = low_latency_transport(connection, disabled_algorithms={"keys": []})
        assert isinstance(transport, Transport)
        assert transport.disabled_algorithms == {"keys": []}
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
        transport.close()


def test_what_is_no_tcp_connection_is_left_as_it_is() -> None:
    """A bastion's channel and a ProxyCommand's pipe have no such option."""
    one, other = socket.socketpair()
    with other:
        low_latency_transport(one).close()
