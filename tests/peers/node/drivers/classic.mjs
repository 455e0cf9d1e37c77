// kkrpc 0.x: an IO class for each transport, the codec an option of the channel. What an older version does
// not know among the options does no harm.
export function classic(kkrpc) {
  const channel = (line, codec, { expose, interceptors, validators } = {}) =>
    new kkrpc.RPCChannel(line, { serialization: { version: codec }, expose, interceptors, validators });
  return {
    channel,
    dial: (url) =>
      url.startsWith("http") ? new kkrpc.HTTPClientIO({ url }) : new kkrpc.WebSocketClientIO({ url }),
    onSocket: (socket) => new kkrpc.WebSocketServerIO(socket),
    onPipes: (readable, writable) => new kkrpc.NodeIo(readable, writable),
    // `new api.Name()` throws in the library's own proxy.
    construct: (line, name, args) => line.callConstructor(name, args),
    release: () => {},

    // All clients share one channel: the library's own handler does the same.
    answering(codec, options) {
      const io = new kkrpc.HTTPServerIO();
      channel(io, codec, options);
      return async (body) => {
        try {
          return { status: 200, text: await io.handleRequest(body) };
        } catch (error) {
          return { status: 500, text: error.message };
        }
      };
    },
  };
}
