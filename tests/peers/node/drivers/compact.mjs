// kkrpc 2.x: a transport is a platform and a codec; its own transports have the codec json built in.
export function compact(kkrpc) {
  const superjson = (platform, codec) => kkrpc.createTransport({ platform, codec });

  // The library has a WebSocket transport, but no platform to put another codec on.
  const socketPlatform = (socket) => {
    const waiting = [];
    socket.on("open", () => waiting.splice(0).forEach((wire) => socket.send(wire)));
    return {
      send: (wire) => void (socket.readyState === 0 ? waiting.push(wire) : socket.send(wire)),
      subscribe(listener) {
        const heard = (data) => listener(String(data));
        socket.on("message", heard);
        return () => socket.off("message", heard);
      },
      onClose(listener) {
        const closed = (code) => listener(code === 1000 ? undefined : new Error(`closed with ${code}`));
        socket.on("close", closed);
        return () => socket.off("close", closed);
      },
      close: () => socket.close(),
    };
  };
  const onSocket = (socket, codec) =>
    codec === "json"
      ? kkrpc.webSocketTransport(socket)
      : superjson(socketPlatform(socket), kkrpc.superJsonCodec());

  return {
    onSocket,
    dial(url, codec) {
      if (url.startsWith("http")) return kkrpc.httpClientTransport({ url });
      if (codec === "json") return kkrpc.webSocketClientTransport({ url });
      return onSocket(new kkrpc.WebSocket(url), codec);
    },
    onPipes(readable, writable, codec) {
      const pipes = { readable, writable, lifecycle: readable };
      return codec === "json"
        ? kkrpc.stdioJsonTransport(pipes)
        : superjson(kkrpc.stdioPlatform(pipes), kkrpc.superJsonLineCodec());
    },
    channel: (line, _codec, { expose, interceptors = [], validators, meta } = {}) =>
      new kkrpc.RPCChannel(line, {
        expose,
        plugins: [kkrpc.validationPlugin(validators), kkrpc.middlewarePlugin(interceptors)],
        getMetadata: () => meta?.(),
      }),
    construct: (line, name, args) => new (line.getAPI()[name])(...args),
    release: (callback) => kkrpc.releaseCallback(callback),

    // The library's handler takes no plugins.
    answering(_codec, { expose }) {
      const handle = kkrpc.createHttpHandler(expose);
      return async (body) => {
        const response = await handle(new Request("http://localhost", { method: "POST", body }));
        return { status: response.status, text: await response.text() };
      };
    },
  };
}
