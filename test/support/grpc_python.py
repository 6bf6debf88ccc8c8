"""A gRPC service or its client by Python's grpcio (the C core), told what to do by lines on standard input; each is answered with one line of JSON.

    grpc_python.py server [CERT KEY]      first line: the port
    grpc_python.py client PORT [CA]

Messages are raw bytes, so nothing is generated. The process ends with its standard input."""
import asyncio
import json
import sys

import grpc

NO_LIMIT = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
BIG = bytes(range(256)) * (64 * 4096)  # 64 MiB


class Echo(grpc.GenericRpcHandler):
    cancelled = 0
    active = 0

    def service(self, details):
        return {
            "/test.Echo/Unary": grpc.unary_unary_rpc_method_handler(self.unary),
            "/test.Echo/Down": grpc.unary_stream_rpc_method_handler(self.down),
            "/test.Echo/Up": grpc.stream_unary_rpc_method_handler(self.up),
            "/test.Echo/Both": grpc.stream_stream_rpc_method_handler(self.both),
        }.get(details.method)

    async def unary(self, request, context):
        word, _, n = request[:50].decode("latin1").partition(" ")
        if word == "fail":
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "failed as told: %s %% \u00fc" % n)
        if word == "wait":
            Echo.active += 1
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                Echo.cancelled += 1
                raise
            finally:
                Echo.active -= 1
        metadata = dict(context.invocation_metadata())
        await context.send_initial_metadata((("x-got", metadata.get("x-meta", "")), ("x-got-bin", metadata.get("x-meta-bin", b""))))
        context.set_trailing_metadata((("x-trailer", "t"),))
        return request

    async def down(self, request, context):
        for i in range(int(request)):
            yield str(i).encode()

    async def up(self, requests, context):
        n = 0
        async for message in requests:
            n += len(message)
        return str(n).encode()

    async def both(self, requests, context):
        Echo.active += 1
        try:
            async for message in requests:
                yield message
        except asyncio.CancelledError:
            Echo.cancelled += 1
            raise
        finally:
            Echo.active -= 1


class Client:
    def __init__(self, channel):
        self.channel = channel
        self.unary = channel.unary_unary("/test.Echo/Unary")
        self.both = channel.stream_stream("/test.Echo/Both")
        self.calls = []
        self.waiting = None

    async def do_unary(self):
        call = self.unary(b"hello", metadata=(("x-meta", "m"), ("x-meta-bin", b"\x00\xff,")))
        body = await call
        head, trailers = dict(await call.initial_metadata()), dict(await call.trailing_metadata())
        return [(await call.code()).value[0], body.decode(), head["x-got"], head["x-got-bin"].hex(), trailers["x-trailer"]]

    async def do_down(self):
        got = [m async for m in self.channel.unary_stream("/test.Echo/Down")(b"500")]
        return got == [str(i).encode() for i in range(500)]

    async def do_up(self):
        return (await self.channel.stream_unary("/test.Echo/Up")(iter([bytes(100_000), b"12345", b"", bytes(70_000)]))).decode()

    async def do_both(self):
        call = self.both()
        for message in (b"a", b"b" * 100_000, b"", b"c"):
            await call.write(message)
            if await call.read() != message:
                return "another message"
        await call.done_writing()
        return [await call.read() is grpc.aio.EOF, (await call.code()).value[0]]

    async def do_big(self):
        return await self.unary(BIG) == BIG

    async def failing(self, call):
        try:
            await call
        except grpc.aio.AioRpcError as e:
            return [e.code().value[0], e.details()]
        return "no failure"

    async def do_fail(self):
        return await self.failing(self.unary(b"fail 7"))

    async def do_unknown(self):
        return await self.failing(self.channel.unary_unary("/test.Echo/None")(b""))

    async def do_dead(self):
        return await self.failing(self.channel.unary_unary("/dead/x")(b""))

    async def do_deadline(self):
        return (await self.failing(self.unary(b"wait", timeout=0.2)))[0]

    async def do_wait(self):
        self.waiting = self.unary(b"wait")
        return True  # not wait_for_connection(): that waits for the server's metadata, which this call never gets

    async def do_cancel(self):
        self.waiting.cancel()
        return (await self.waiting.code()).value[0]

    async def do_many(self):
        self.calls = [self.both() for _ in range(1000)]
        return await self.do_again()

    async def do_again(self):
        async def one(call, message):
            await call.write(message)
            return await call.read() == message
        return sum(await asyncio.gather(*(one(c, b"%d" % i * 50) for i, c in enumerate(self.calls))))

    async def do_end(self):
        async def one(call):
            await call.done_writing()
            return await call.read() is grpc.aio.EOF and await call.code() is grpc.StatusCode.OK
        return sum(await asyncio.gather(*(one(c) for c in self.calls)))


async def lines(answer):
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        try:
            result = await answer(line.strip())
        except Exception as e:  # whatever it is, the test shall show it
            result = "%s: %s" % (type(e).__name__, e)
        print(json.dumps(result), flush=True)


async def serve(files):
    server = grpc.aio.server(options=NO_LIMIT)
    server.add_generic_rpc_handlers((Echo(),))
    if files:
        cert, key = (open(f, "rb").read() for f in files)
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, cert)]))
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)

    async def seen(_):
        return {"cancelled": Echo.cancelled, "active": Echo.active}
    await lines(seen)
    await server.stop(0)


async def call(port, ca):
    if ca:
        options = NO_LIMIT + [("grpc.ssl_target_name_override", "localhost")]
        channel = grpc.aio.secure_channel("127.0.0.1:" + port, grpc.ssl_channel_credentials(open(ca, "rb").read()), options)
    else:
        channel = grpc.aio.insecure_channel("127.0.0.1:" + port, NO_LIMIT)
    client = Client(channel)
    await lines(lambda word: asyncio.wait_for(getattr(client, "do_" + word)(), 60))
    await channel.close()


if __name__ == "__main__":
    if sys.argv[1] == "server":
        asyncio.run(serve(sys.argv[2:]))
    else:
        asyncio.run(call(sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else None))
