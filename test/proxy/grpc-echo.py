#!/usr/bin/python3
"""grpc-echo.py serve KEY CERTIFICATE [RECORD] | ask PORT HOST:PORT CA: calls of each kind, with messages of bytes. Debian's Python has the
library. What comes with a stream, its metadata, becomes lines "METHOD NAME: VALUE" of RECORD.
"""
import functools
import sys
from concurrent import futures

import grpc


def echo(request, context):
    context.set_trailing_metadata((("x-trailer", "behind"),))
    return request


def fail(request, context):
    context.abort(grpc.StatusCode.NOT_FOUND, "there is no such thing")


def chat(requests, context, path=None):
    if path:
        with open(path, "a", encoding="utf-8") as record:
            record.write("".join(f"/test.Echo/Chat {name}: {value}\n" for name, value in context.invocation_metadata()))
    context.set_trailing_metadata((("x-trailer", "behind"),))
    for request in requests:
        yield request[::-1]


def serve(key, certificate, path=None):
    handlers = grpc.method_handlers_generic_handler("test.Echo", {
        "One": grpc.unary_unary_rpc_method_handler(echo), "Fail": grpc.unary_unary_rpc_method_handler(fail),
        "Chat": grpc.stream_stream_rpc_method_handler(functools.partial(chat, path=path))})
    server = grpc.server(futures.ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers((handlers,))
    with open(key, "rb") as key_file, open(certificate, "rb") as certificate_file:
        credentials = grpc.ssl_server_credentials([(key_file.read(), certificate_file.read())])
    print(server.add_secure_port("127.0.0.1:0", credentials), flush=True)
    server.start()
    server.wait_for_termination()


def ask(port, authority, trusted):
    host = authority.partition(":")[0]
    with open(trusted, "rb") as file:
        credentials = grpc.ssl_channel_credentials(file.read())
    options = (("grpc.ssl_target_name_override", host), ("grpc.default_authority", authority))
    with grpc.secure_channel(f"127.0.0.1:{port}", credentials, options) as channel:
        one = channel.unary_unary("/test.Echo/One")
        answer, call = one.with_call(b"x" * 300000, timeout=10)
        assert answer == b"x" * 300000 and ("x-trailer", "behind") in [tuple(pair) for pair in call.trailing_metadata()]
        try:
            channel.unary_unary("/test.Echo/Fail")(b"", timeout=10)
            raise AssertionError("it did not fail")
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.NOT_FOUND and error.details() == "there is no such thing", error
        # Each message is sent only when the answer to the one before has come.
        ready = futures.Future()
        waiting = [ready]

        def messages():
            for number in range(5):
                yield b"ab%d" % number
                waiting[0].result(10)
                waiting[0] = futures.Future()

        for number, text in enumerate(channel.stream_stream("/test.Echo/Chat")(messages(), timeout=20)):
            assert text == b"%dba" % number, text
            waiting[0].set_result(None)
        assert number == 4
    print("gRPC works")


{"serve": serve, "ask": ask}[sys.argv[1]](*sys.argv[2:])
