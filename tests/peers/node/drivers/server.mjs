// Serves drivers/api.mjs over WebSocket: node server.mjs WHICH CODEC. Prints {"port": N}, and ends when
// its standard input does, so that it cannot outlive whoever started it.
import { makeApi } from "./api.mjs";
import { load, options, say } from "./peer.mjs";

const [which, codec] = process.argv.slice(2);
const { RPCChannel, WebSocketServer, WebSocketServerIO } = await load(which);

const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
server.on("connection", (socket) => {
  new RPCChannel(new WebSocketServerIO(socket), options(codec, { expose: makeApi() }));
});
server.on("listening", () => say({ port: server.address().port }));
process.stdin.resume().on("end", () => process.exit(0));
