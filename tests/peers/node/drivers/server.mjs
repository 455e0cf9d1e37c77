// Serves drivers/api.mjs: node server.mjs WHICH CODEC TRANSPORT [PORT]. Over "websocket" and "http"
// it prints {"port": N}; over "stdio" its standard output is the wire. It ends when its standard
// input does, so that it cannot outlive whoever started it.
import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { interceptors, makeApi, validators } from "./api.mjs";
import { load, say } from "./peer.mjs";

const [which, codec, transport, port = 0] = process.argv.slice(2);
const peer = await load(which);

function serve(line) {
  const expose = makeApi(peer.release, () => channel.getAPI());
  const channel = peer.channel(line, codec, { expose, interceptors, validators });
}

if (transport === "stdio") {
  serve(peer.onPipes(process.stdin, process.stdout, codec));
} else if (transport === "http") {
  const answer = peer.answering(codec, { expose: makeApi(peer.release), interceptors, validators });
  const server = createServer(async (request, response) => {
    const { status, text: body } = await answer(await text(request));
    response.writeHead(status, { "content-type": "application/json" }).end(body);
  });
  server.listen(Number(port), "127.0.0.1", () => say({ port: server.address().port }));
} else {
  const { WebSocketServer } = peer.kkrpc;
  const server = new WebSocketServer({ host: "127.0.0.1", port: Number(port), perMessageDeflate: false });
  server.on("connection", (socket) => serve(peer.onSocket(socket, codec)));
  server.on("listening", () => say({ port: server.address().port }));
}
process.stdin.resume().on("end", () => process.exit(0));
