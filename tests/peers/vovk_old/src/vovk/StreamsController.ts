import { get, type VovkRequest } from 'vovk';
import { newPage, readPage } from './diary';
import { pause } from './hello/HelloService';

type Request = VovkRequest<undefined, Record<string, string>>;

const number = (req: Request, name: string, otherwise: number) =>
  Number(req.nextUrl.searchParams.get(name) ?? otherwise);

const END = '__##DIV123##__';

// What the body consists of, a chunk each.
const BODIES: Record<string, (string | Uint8Array)[]> = {
  split: ['{"i":', `0}${END}{"i"`, `:1}${END}`],
  splitDivider: ['{"i":0}__##DI', `V123##__{"i":1}${END}`],
  splitCharacter: Array.from(Buffer.from(`{"s":"€😀"}${END}`), (byte) => Uint8Array.of(byte)),
  noLineEnd: [`{"i":0}${END}{"i":1}`],
  malformed: [`{"i":0}${END}`, `{oops${END}`, `{"i":1}${END}`],
  truncated: [`{"i":0}${END}{"i":1`],
  dies: [`{"i":0}${END}`, `{"i":1}${END}`],
};

export default class StreamsController {
  static controllerName = 'StreamsController';

  @get.auto()
  static async *burst(req: Request) {
    const n = number(req, 'n', 100);
    for (let i = 0; i < n; i++) yield { i, t: 'tok' };
  }

  @get.auto()
  static *fromSync() {
    yield* [{ i: 0 }, { i: 1 }, { i: 2 }];
  }

  @get.auto()
  static async *empty() {}

  @get.auto()
  static async *falsy() {
    yield* [0, '', false, null, [], {}];
  }

  @get.auto()
  static async *texts() {
    yield* ['Hello,', ' World', '', 'a\u2028b\u0085c\nd', '"'];
  }

  @get.auto()
  static async *large() {
    for (let i = 0; i < 5; i++) yield { i, s: '€😀é'.repeat(30_000) };
  }

  // Looks like an error to everybody.
  @get.auto()
  static async *errorLike() {
    yield { isError: false, v: 1 };
    yield { isError: true, reason: 'only an item' };
    yield { v: 2 };
  }

  @get.auto()
  static bytes(req: Request) {
    const name = req.nextUrl.searchParams.get('body');
    const chunks = [...BODIES[name]];
    const encoder = new TextEncoder();
    const body = new ReadableStream({
      async pull(controller) {
        await pause(20);
        const chunk = chunks.shift();
        if (chunk !== undefined) controller.enqueue(typeof chunk === 'string' ? encoder.encode(chunk) : chunk);
        else if (name === 'dies') controller.error(new Error('the stream dies'));
        else controller.close();
      },
    });
    return new Response(body, { headers: { 'content-type': 'text/event-stream', 'content-encoding': 'none' } });
  }

  // Goes on until `n`; `diary` tells how far it came and when it was ended.
  @get.auto()
  static async *slow(req: Request) {
    const page = newPage(req.nextUrl.searchParams.get('id'));
    const [n, pauseMs] = [number(req, 'n', 500), number(req, 'pauseMs', 20)];
    const s = 'x'.repeat(number(req, 'bytes', 0));
    req.signal.addEventListener('abort', () => (page.abortedAt = Date.now()), { once: true });
    try {
      while (page.produced < n) {
        if (pauseMs) await pause(pauseMs);
        page.produced++;
        yield { i: page.produced - 1, s };
      }
    } finally {
      page.endedAt = Date.now();
    }
  }

  @get.auto()
  static diary(req: Request) {
    return readPage(req.nextUrl.searchParams.get('id'));
  }
}
